"""Trace ids, spans and log lines that belong together."""

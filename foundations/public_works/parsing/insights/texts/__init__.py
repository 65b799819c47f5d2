"""Insights of texts, each computed from the passages."""

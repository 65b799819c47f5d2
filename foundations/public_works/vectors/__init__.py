"""Vectors of passages: kept by model, searched exactly, in this process or by pgvector."""

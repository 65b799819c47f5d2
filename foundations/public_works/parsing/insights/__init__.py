"""Insights: what is true and worth knowing of files, computed from their artifacts."""

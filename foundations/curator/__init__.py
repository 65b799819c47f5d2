"""The platform-wide registry: what exists, what it offers, and whether it fits together."""

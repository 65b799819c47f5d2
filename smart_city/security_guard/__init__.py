"""The security guard: the one point where it is decided who may call what."""

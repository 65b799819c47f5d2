"""The nurse: the health of every component."""

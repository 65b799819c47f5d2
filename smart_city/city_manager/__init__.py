"""The city manager: the state of the city and of its last boot."""

"""The platform roles, each seen by others only through its `api` module."""

"""A realm whose service ends its process, or tries to."""

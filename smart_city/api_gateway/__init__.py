"""The API gateway: finds the API a request names, has it allowed, and calls it."""

"""A realm in a package of its own: counts letters, and has an agent that is asked about them."""

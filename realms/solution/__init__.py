"""Solutions: what a user asks for as one thing, and other realms do together."""

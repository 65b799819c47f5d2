"""Business enablement: turns files into content that is understood, and content into insights."""

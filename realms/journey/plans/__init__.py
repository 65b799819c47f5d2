"""Plans: what a template compiles to, and the engine goes by."""

"""What the outside sees: REST, problem details, health, and the one road every request takes."""

"""The realm that is measured: four small steps, each giving the next its result."""

"""Infrastructure behind protocols, and abstractions over it. The first foundation to open."""

"""The communication director: the one way in, past traffic cop, API gateway and post office."""

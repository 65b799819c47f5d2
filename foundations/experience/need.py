"""What a command needs a city for, which says how one that is booted for it stands."""

from enum import StrEnum


class Need(StrEnum):
    """From the least to the most."""

    NOTHING = "nothing"
    """Only what is declared: the city stands on an empty folder of its own."""
    READING = "reading"
    """What is kept: the city leaves unfinished runs alone."""
    WORKING = "working"
    """Its work: the city goes on with everything unfinished, as a server would."""

"""Times as text that sorts, the way roles keep them in their tables."""

from datetime import datetime


def stamp(moment: datetime) -> str:
    """An aware UTC time as ISO 8601 with microseconds; all of one length, so they sort as text."""
    return moment.isoformat(timespec="microseconds")

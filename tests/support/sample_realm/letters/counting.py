"""Counts letters."""

from foundations.declarations import service, soa_api
from letters.api import Count


@service(version="2", owner="the sample")
class LetterService:
    """Counts letters in words."""

    @soa_api(public=True)
    async def count_letter(self, word: str, letter: str) -> Count:
        """How often a letter occurs in a word."""
        return Count(occurrences=word.count(letter))

"""How one can search; by itself, so that a command can name it without the rest."""

from enum import StrEnum


class SearchMode(StrEnum):
    """How passages are looked for."""

    HYBRID = "hybrid"
    """By words and by meaning, fused."""
    WORDS = "words"
    MEANING = "meaning"

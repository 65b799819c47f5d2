"""What the rest of the city may know about the realm of {{title}}."""

from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field


class WordCount(BaseModel):
    """How many words a text has, and the longest of them."""

    model_config = ConfigDict(frozen=True)

    words: int = Field(ge=0)
    longest: str


class Report(BaseModel):
    """A sentence about a text."""

    model_config = ConfigDict(frozen=True)

    report: str


class {{Name}}(Protocol):
    """Counts words, and writes a sentence about them."""

    async def count_words(self, text: str) -> WordCount: ...

    async def write_report(self, words: int, longest: str) -> Report: ...

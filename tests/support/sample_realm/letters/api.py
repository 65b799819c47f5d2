"""What the rest of the city may know about letters."""

from pydantic import BaseModel, ConfigDict


class Count(BaseModel):
    """How often a letter occurs in a word."""

    model_config = ConfigDict(frozen=True)

    occurrences: int


class Said(BaseModel):
    """What the agent answered."""

    model_config = ConfigDict(frozen=True)

    text: str

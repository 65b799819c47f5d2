"""What an insight is: a computed sentence with its figures, its evidence and its strength."""

import math
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from foundations.public_works.parsing.models import ColumnType, Scalar


class InsightKind(StrEnum):
    """What an insight is about."""

    OVERVIEW = "overview"
    NOTHING_UNUSUAL = "nothing_unusual"
    # how good the data is
    MISSING = "missing"
    INVALID = "invalid"
    MIXED_TYPES = "mixed_types"
    PLACEHOLDER = "placeholder"
    CONSTANT = "constant"
    STUCK = "stuck"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    VARIANT = "variant"
    GAP = "gap"
    # what it is made of
    KEY = "key"
    FOREIGN_KEY = "foreign_key"
    JOIN = "join"
    RULE = "rule"
    # what it says
    OUTLIER = "outlier"
    COMBINATION = "combination"
    CORRELATION = "correlation"
    CURVE = "curve"
    DIFFERENCE = "difference"
    ASSOCIATION = "association"
    TREND = "trend"
    SEASON = "season"
    BREAK = "break"
    DISTRIBUTION = "distribution"
    CONCENTRATION = "concentration"
    BENFORD = "benford"
    DRIFT = "drift"
    # texts
    LANGUAGE = "language"
    STRUCTURE = "structure"
    SUMMARY = "summary"
    KEY_PHRASE = "key_phrase"
    FIGURE = "figure"
    ENTITY = "entity"
    CONTRADICTION = "contradiction"
    SIMILAR = "similar"


class Cell(BaseModel):
    """One cell of a table, its row counted from 1, the header left out."""

    model_config = ConfigDict(frozen=True)

    row: int
    column: str
    value: Scalar


class Evidence(BaseModel):
    """Where an insight can be checked. Rows are counted from 1, the header left out.

    `file` is named where several files are compared. `quotes` are words of the passages.
    """

    model_config = ConfigDict(frozen=True)

    file: str = ""
    table: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    cells: tuple[Cell, ...] = ()
    passages: tuple[int, ...] = ()
    quotes: tuple[str, ...] = ()


_LARGEST_DRAWN = 1e300


class Insight(BaseModel):
    """A computed statement: a sentence, its figures, where to check it, and its strength.

    `strength` is the size of the effect, `surprise` how little one would have expected it; insights
    are ranked by both. `chart` is a Vega-Lite specification with its data in it, empty where a
    chart would not help.
    """

    model_config = ConfigDict(frozen=True)

    kind: InsightKind
    sentence: str
    figures: dict[str, float | int | str] = Field(
        default_factory=dict, description="those that a float can hold, unrounded"
    )
    evidence: Evidence = Evidence()
    further: tuple[Evidence, ...] = Field(
        default=(), description="more places, where two are compared"
    )
    strength: float = Field(ge=0, le=1)
    surprise: float = Field(default=0.5, ge=0, le=1)
    chart: dict[str, Any] = Field(default_factory=dict)

    @field_validator("figures")
    @classmethod
    def _finite(cls, figures: dict[str, float | int | str]) -> dict[str, float | int | str]:
        """Leave out what overflowed: JSON has no word for it."""
        return {
            name: figure
            for name, figure in figures.items()
            if not isinstance(figure, float) or math.isfinite(figure)
        }

    @field_validator("chart")
    @classmethod
    def _drawable(cls, chart: dict[str, Any]) -> dict[str, Any]:
        return chart if _can_be_drawn(chart) else {}


class ColumnFacts(BaseModel):
    """A column at a glance: what it is, its unit, and how its values are distributed."""

    model_config = ConfigDict(frozen=True)

    table: str
    name: str
    type: ColumnType
    role: str = Field(
        description="number, category, labels, time, identifier, text, constant or empty"
    )
    unit: str = ""
    rows: int
    missing: int
    distinct: int
    minimum: Scalar = None
    q1: float | None = None
    median: float | None = None
    mean: float | None = None
    q3: float | None = None
    maximum: Scalar = None
    chart: dict[str, Any] = Field(default_factory=dict)

    @field_validator("q1", "median", "mean", "q3")
    @classmethod
    def _finite(cls, figure: float | None) -> float | None:
        """None for what overflowed."""
        return figure if figure is not None and math.isfinite(figure) else None

    @field_validator("chart")
    @classmethod
    def _drawable(cls, chart: dict[str, Any]) -> dict[str, Any]:
        return chart if _can_be_drawn(chart) else {}


def _can_be_drawn(part: Any) -> bool:
    """Whether no number in it is so large that the length of an axis would be none."""
    match part:
        case dict():
            return all(map(_can_be_drawn, part.values()))
        case list() | tuple():
            return all(map(_can_be_drawn, part))
        case float():
            return math.isfinite(part) and abs(part) <= _LARGEST_DRAWN
    return True


class InsightsResult(BaseModel):
    """The insights of one file, the overview first, then by strength and surprise; never empty."""

    model_config = ConfigDict(frozen=True)

    file_name: str
    insights: tuple[Insight, ...]
    columns: tuple[ColumnFacts, ...] = ()
    left_out: int = Field(default=0, description="insights found beyond what is worth reading")


class ComparisonResult(BaseModel):
    """What only shows when files are laid beside each other; empty when there is nothing."""

    model_config = ConfigDict(frozen=True)

    file_names: tuple[str, ...]
    insights: tuple[Insight, ...] = ()
    left_out: int = 0

"""What a report says, apart from how it is written."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundations.experience.terminal import clean
from foundations.public_works.parsing.insights.model import (
    ColumnFacts,
    ComparisonResult,
    Evidence,
    Insight,
    InsightsResult,
)
from foundations.public_works.parsing.insights.words import counted, figure, percent

_ROWS_NAMED = 8
_WORDS_OF_STRENGTH = ((0.85, "strong"), (0.6, "clear"), (0.35, "moderate"), (0.0, "slight"))


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: its insights, or why there are none."""

    file: str
    file_id: str = ""
    insights: InsightsResult | None = None
    warnings: tuple[str, ...] = ()
    error: str = ""
    hint: str = ""

    @property
    def title(self) -> str:
        return clean(self.insights.file_name if self.insights else Path(self.file).name)


@dataclass(frozen=True, slots=True)
class Report:
    """All files, and what only shows when they are laid beside each other."""

    files: tuple[FileReport, ...]
    across: ComparisonResult | None = None
    made_at: str = ""

    def document(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "made_at": self.made_at,
            "files": [_document(file) for file in self.files],
            "across": self.across.model_dump(mode="json") if self.across else None,
        }


def _document(file: FileReport) -> dict[str, Any]:
    return {
        "file": file.file,
        "file_id": file.file_id,
        "insights_result": file.insights.model_dump(mode="json") if file.insights else None,
        "warnings": list(file.warnings),
        "error": {"detail": file.error, "hint": file.hint} if file.error else None,
    }


@dataclass(frozen=True, slots=True)
class Row:
    """A column at a glance, in words."""

    cells: tuple[str, ...]
    facts: ColumnFacts = field(repr=False)


COLUMN_HEADINGS = ("column", "type", "unit", "missing", "different", "from", "median", "to")


def column_rows(result: InsightsResult) -> dict[str, list[Row]]:
    """The columns of each table."""
    found: dict[str, list[Row]] = {}
    for facts in result.columns:
        found.setdefault(clean(facts.table), []).append(Row(_cells(facts), facts))
    return found


def _cells(facts: ColumnFacts) -> tuple[str, ...]:
    share = facts.missing / facts.rows if facts.rows else 0.0
    gone = f"{facts.missing:,} ({percent(share)})" if facts.missing else ""
    middle = figure(facts.median) if facts.median is not None else ""
    role = f"{facts.type.value}, {facts.role}" if facts.role != facts.type.value else facts.role
    ends = (_shown(facts.minimum), middle, _shown(facts.maximum))
    return tuple(
        clean(cell) for cell in (facts.name, role, facts.unit, gone, f"{facts.distinct:,}", *ends)
    )


def _shown(value: object) -> str:
    if value is None:
        return ""
    return figure(value) if isinstance(value, int | float) else str(value)


def strength(insight: Insight) -> str:
    """Its strength in a word."""
    return next(word for least, word in _WORDS_OF_STRENGTH if insight.strength >= least)


def kind(insight: Insight) -> str:
    return insight.kind.value.replace("_", " ")


def sentence(insight: Insight) -> str:
    return clean(re.sub(r"\s+", " ", insight.sentence))


def places(insight: Insight) -> list[str]:
    """Where an insight can be checked, in words."""
    return [said for one in (insight.evidence, *insight.further) if (said := clean(_place(one)))]


def _place(one: Evidence) -> str:
    parts = [part for part in (one.file, one.table) if part]
    if one.columns:
        parts.append(f"{'column' if len(one.columns) == 1 else 'columns'} {', '.join(one.columns)}")
    for noun, numbers in (("row", one.rows), ("passage", one.passages)):
        if numbers:
            named = ", ".join(f"{number:,}" for number in numbers[:_ROWS_NAMED])
            more = f" and {len(numbers) - _ROWS_NAMED} more" if len(numbers) > _ROWS_NAMED else ""
            parts.append(f"{noun if len(numbers) == 1 else noun + 's'} {named}{more}")
    return "; ".join(parts)


def left_out(count: int) -> str:
    """That there is more, in words; empty where there is not."""
    return (
        f"{counted(count, 'weaker finding')} {'is' if count == 1 else 'are'} left out."
        if count
        else ""
    )

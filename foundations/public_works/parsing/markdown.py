"""Markdown, of authors and of what documents are turned into: sections and tables by heading."""

import re
from dataclasses import dataclass, field

from foundations.public_works.parsing.models import ParseOptions
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.places import BEGINNING, Place
from foundations.public_works.parsing.sources import Section, Table

MAX_TABLES = 50
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_FENCE = re.compile(r"^\s*(```|~~~)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_MARKS = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_RULER = re.compile(r"^[\s|:-]+$")
_CELL_RULER = re.compile(r"^\s*\|(?:\s*:?-+:?\s*\|)+\s*$")
_CELL_END = re.compile(r"(?<!\\)\|")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])")


@dataclass(slots=True)
class Reading:
    """What a text in Markdown holds: its sections, and its tables as rows of cells."""

    sections: list[Section] = field(default_factory=list)
    grids: list[tuple[str, list[list[str]]]] = field(default_factory=list)
    """Each with the place it stands at."""


def sections_and_grids(markdown: str) -> Reading:
    """A text in Markdown taken apart, each piece placed under the headings it stands below."""
    found = Reading()
    trail: list[str] = []
    held: list[str] = []
    rows: list[str] = []
    fenced = False
    for line in [*markdown.splitlines(), ""]:
        if rows and (fenced or not line.lstrip().startswith("|")):
            _take_grid(found, trail, rows)
            rows = []
        if _FENCE.match(line):
            fenced = not fenced
            continue
        heading = None if fenced else _HEADING.match(line)
        if heading is None:
            if not fenced and line.lstrip().startswith("|"):
                rows.append(line)
            held.append(line if fenced else plain(line))
            continue
        if any(map(str.strip, held)) or len(heading[1]) <= len(trail):
            _take_section(found, trail, held)  # a bare heading is told by what stands below it
        trail = [*trail[: len(heading[1]) - 1], plain(heading[2])]
        held = []
    _take_section(found, trail, held)
    return found


def tables(
    grids: list[tuple[str, list[list[str]]]], *, options: ParseOptions, notes: Notes
) -> list[Table]:
    """The tables among rows of cells that a document holds, those that have two columns and more.

    Raises:
        ColumnLimit: one is too wide.
    """
    from foundations.public_works.parsing.tables import of_cells

    made: list[Table] = []
    wide = [(place, rows) for place, rows in grids if max(map(len, rows), default=0) > 1]
    for number, (place, rows) in enumerate(wide[:MAX_TABLES], start=1):
        name = place.rsplit(" > ", maxsplit=1)[-1] if place != BEGINNING else f"table {number}"
        table = of_cells(rows, name, place=place, options=options, notes=notes)
        if table is not None:
            made.append(table)
    if len(wide) > MAX_TABLES:
        notes.add(
            "tables",
            f"only the first {MAX_TABLES} of {len(wide)} tables were read",
            code="table_cap",
        )
    return made


def plain(line: str) -> str:
    """A line without Markdown's marks."""
    if _RULER.match(line):
        return ""
    if line.startswith("|") and line.rstrip().endswith("|"):
        return "; ".join(_cells(line))
    return _unmarked(_BULLET.sub("", line)).removeprefix("> ")


def _unmarked(text: str) -> str:
    return _ESCAPED.sub(r"\1", _MARKS.sub(r"\2", _LINK.sub(r"\1", text)))


def _take_section(found: Reading, trail: list[str], lines: list[str]) -> None:
    """A section of its own, its heading in front, so that a passage can be understood alone."""
    body = "\n".join(lines).strip()
    if body or trail:
        headed = f"{trail[-1]}\n\n{body}" if trail and body else body or trail[-1]
        found.sections.append(Section(Place.below(trail), headed))


def _take_grid(found: Reading, trail: list[str], lines: list[str]) -> None:
    """Lines between bars, when the second is the ruler that makes them a table."""
    if len(lines) > 2 and _CELL_RULER.match(lines[1]):
        rows = [_cells(line) for number, line in enumerate(lines) if number != 1]
        found.grids.append((str(Place.below(trail)), rows))


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [_unmarked(_BREAK.sub(" ", cell)).strip() for cell in _CELL_END.split(inner)]

"""Markdown, of authors and of what documents are turned into: sections and tables by heading."""

import re
from dataclasses import dataclass, field
from itertools import pairwise

from foundations.public_works.parsing.models import DocumentProperties, ParseOptions
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.places import BEGINNING, Place
from foundations.public_works.parsing.sources import Section, Table

MAX_TABLES = 50
_RULE = re.compile(r"---[ \t]*$")
_FACT = re.compile(r"([\w -]{1,60}):(?:[ \t]+(\S.*))?$")
_MOST_FRONT = 200
"""Lines that properties before a text may take."""
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_FENCE = re.compile(r"^\s*(```|~~~)")
_LINK = re.compile(
    r"!?\[([^\]]{0,500})\]\((?:[^()\s]++|\([^()\s]*+\))*+(?:\s+\"[^\"]{0,500}\")?\s*\)"
)
_MARKS = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*])([*_])(?![\s*_])([^*_\n]+?)(?<![\s*_])\1(?![\w*])|~~(.+?)~~")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,30}\]:?")
_TAG = re.compile(
    r"</?(?:a|b|br|center|code|details|div|em|h[1-6]|hr|i|img|kbd|p|small|span|strong|sub|summary|"
    r"sup|u)\b[^<>]{0,500}>",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?")
_UNDERLINE = re.compile(r"^(?:={3,}|-{3,})\s*$")
_RULER = re.compile(r"^[\s|:-]+$")
_CELL_RULER = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?\s*\|?)?$")
_LEAST_LINES = 3
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
    taken = _Taking()
    lines = _without_comments(markdown).splitlines()
    for line, following in pairwise([*lines, "", ""]):
        taken.line(line, following)
    taken.end()
    return taken.found


class _Taking:
    """Takes a text apart line by line."""

    def __init__(self) -> None:
        self.found = Reading()
        self._trail: list[str] = []
        self._held: list[str] = []
        self._rows: list[str] = []
        self._fenced = False
        self._underlined = False
        self._told = False

    def line(self, line: str, following: str) -> None:
        if self._underlined:
            self._underlined = False
            return
        if self._rows and (self._fenced or "|" not in line):
            self._end_grid()
        if _FENCE.match(line):
            (self._end_code if self._fenced else self._turn_to_code)()
        elif self._fenced:
            self._held.append(line)
        elif heading := _HEADING.match(line):
            self._begin(len(heading[1]), heading[2])
        elif self._is_underlined(line, following):
            self._underlined = True
            self._begin(1 if following.startswith("=") else 2, line.strip())
        elif self._is_row(line, following):
            self._rows.append(line)
        else:
            self._held += ["", plain(line)] if _BULLET.match(line) else [plain(line)]

    def end(self) -> None:
        if self._rows:
            self._end_grid()
        if self._fenced:
            self._end_code()
        self._end_section()

    def _turn_to_code(self) -> None:
        self._end_section()
        self._fenced = True

    def _end_code(self) -> None:
        code, self._held, self._fenced = "\n".join(self._held).rstrip(), [], False
        if code.strip():
            self._beside(Place.below(self._trail).of_code(), code)

    def _beside(self, place: Place, told: str) -> None:
        """What is no running text, under the heading that is above it."""
        heading = self._trail[-1] if self._trail else ""
        self.found.sections.append(Section(place, "\n\n".join(filter(None, [heading, told]))))

    def _is_underlined(self, line: str, following: str) -> bool:
        """Whether a line is a heading by what stands below it."""
        if not _UNDERLINE.match(following) or "|" in line or _RULER.match(line):
            return False
        alone = not self._held or not self._held[-1].strip()
        return alone and not _BULLET.match(line) and not self._rows

    def _is_row(self, line: str, following: str) -> bool:
        """Whether a line is one of a table: between bars, or cut by them above a ruler."""
        if line.lstrip().startswith("|"):
            return True
        return "|" in line and (
            bool(self._rows) or _CELL_RULER.match(following.strip()) is not None
        )

    def _begin(self, level: int, heading: str) -> None:
        if any(map(str.strip, self._held)) or level <= len(self._trail):
            self._end_section()  # a bare heading is told by what stands below it
        self._trail = [*self._trail[: level - 1], plain(heading)]
        self._held, self._told = [], False

    def _end_section(self) -> None:
        """A section of its own, its heading in front, so that a passage can be understood alone."""
        body = "\n".join(self._held).strip()
        self._held = []
        if body or (self._trail and not self._told):
            self.found.sections.append(Section(Place.below(self._trail), self._headed(body)))
            self._told = True

    def _headed(self, body: str) -> str:
        heading = self._trail[-1] if self._trail and not self._told else ""
        return "\n\n".join(filter(None, [heading, body]))

    def _end_grid(self) -> None:
        """Lines between bars: a table where the second is the ruler that makes them one."""
        lines, self._rows = self._rows, []
        if len(lines) < _LEAST_LINES or not _CELL_RULER.match(lines[1].strip()):
            self._held += map(plain, lines)
            return
        rows = [_cells(line) for number, line in enumerate(lines) if number != 1]
        place = Place.below(self._trail)
        self.found.grids.append((str(place), rows))
        self._end_section()
        self._beside(place.of_cells(), "\n".join("; ".join(row) for row in rows))


def tables(
    grids: list[tuple[str, list[list[str]]]],
    sections: list[Section],
    *,
    options: ParseOptions,
    notes: Notes,
) -> list[Table]:
    """The tables among rows of cells that a document holds, those that have two columns and more.

    What it has before decimals is told by its sections where a table does not tell.

    Raises:
        ColumnLimit: one is too wide.
    """
    from foundations.public_works.parsing.tables import of_cells
    from foundations.public_works.parsing.typing_cells import mark_in

    if not grids:
        return []
    made: list[Table] = []
    mark = mark_in("\n".join(section.text for section in sections))
    wide = [(place, rows) for place, rows in grids if max(map(len, rows), default=0) > 1]
    for number, (place, rows) in enumerate(wide[:MAX_TABLES], start=1):
        name = place.rsplit(" > ", maxsplit=1)[-1] if place != BEGINNING else f"table {number}"
        table = of_cells(rows, name, place=place, options=options, notes=notes, mark=mark)
        if table is not None:
            made.append(table)
    if len(wide) > MAX_TABLES:
        notes.add(
            "tables",
            f"only the first {MAX_TABLES} of {len(wide)} tables were read",
            code="table_cap",
        )
    return made


def split_front(text: str) -> tuple[DocumentProperties, str]:
    """What lines `name: value` between rulers at the beginning say of a text, and the rest."""
    lines = text.removeprefix("\ufeff").split("\n", _MOST_FRONT)
    end = _end_of_front(lines)
    if not end:
        return DocumentProperties(), text
    facts = {
        found[1].casefold(): " ".join(found[2].strip("\"' []").split())[:300]
        for line in lines[1:end]
        if (found := _FACT.match(line)) and found[2]
    }
    author = facts.get("author", facts.get("authors", ""))
    said = DocumentProperties(
        title=facts.get("title", ""),
        subject=facts.get("subject", facts.get("description", "")),
        authors=(author,) if author else (),
        language=facts.get("lang", facts.get("language", "")),
        created_at=facts.get("date", ""),
    )
    return said, "\n".join(lines[end + 1 :])


def _end_of_front(lines: list[str]) -> int:
    """Where the ruler is that ends the properties before a text; 0 where there are none."""
    if not _RULE.match(lines[0]):
        return 0
    for at, line in enumerate(lines[1:], start=1):
        if _RULE.match(line):
            return at
        if line.strip() and not line.startswith((" ", "\t", "-")) and not _FACT.match(line):
            return 0
    return 0


def _without_comments(text: str) -> str:
    kept: list[str] = []
    end = 0
    while (begin := text.find("<!--", end)) >= 0 and (close := text.find("-->", begin + 4)) >= 0:
        kept.append(text[end:begin])
        end = close + 3
    return "".join([*kept, text[end:]])


def plain(line: str) -> str:
    """A line without Markdown's marks."""
    if _RULER.match(line):
        return ""
    if line.startswith("|") and line.rstrip().endswith("|"):
        return "; ".join(_cells(line))
    return _unmarked(_TAG.sub(" ", _BULLET.sub("", line))).strip().removeprefix("> ")


def _unmarked(text: str) -> str:
    bare = _MARKS.sub(r"\2", _LINK.sub(r"\1", _FOOTNOTE.sub("", text)))
    return _ESCAPED.sub(r"\1", _EMPHASIS.sub(lambda found: found[2] or found[3], bare))


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [_unmarked(_BREAK.sub(" ", cell)).strip() for cell in _CELL_END.split(inner)]

"""Where in a file something stands: for programs by its parts, for people by its label."""

import re
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

LONGEST_LABEL = 300
_NUMBERED = re.compile(r"(page|slide|line) (\d{1,9})(?: > (.*))?", re.DOTALL)


class PlaceKind(StrEnum):
    """What a place is counted by."""

    HEADING = "heading"
    PAGE = "page"
    SLIDE = "slide"
    LINE = "line"
    NAME = "name"
    MESSAGE = "message"
    TABLE = "table"
    COLUMN = "column"
    ROW = "row"
    CODE = "code"


class Place(BaseModel):
    """A place in a file. `number` is that of a page, slide, line or row; 0 where none is counted.

    `file` is the file within, of an archive or a message; `headings` are outermost first. A plain
    text is read as the label it is.
    """

    model_config = ConfigDict(frozen=True)

    kind: PlaceKind
    label: str
    number: int = 0
    file: str = ""
    headings: tuple[str, ...] = ()
    table: str = ""
    column: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read_label(cls, value: Any) -> Any:
        return cls.read(value).model_dump() if isinstance(value, str) else value

    @classmethod
    def read(cls, label: str) -> Self:
        """The place that a label names, as far as labels say it."""
        if found := _NUMBERED.fullmatch(label):
            title = (found[3],) if found[3] else ()
            return cls(kind=PlaceKind(found[1]), label=label, number=int(found[2]), headings=title)
        return cls(kind=PlaceKind.NAME, label=label)

    @classmethod
    def page(cls, number: int) -> Self:
        return cls(kind=PlaceKind.PAGE, label=f"page {number}", number=number)

    @classmethod
    def line(cls, number: int) -> Self:
        return cls(kind=PlaceKind.LINE, label=f"line {number}", number=number)

    @classmethod
    def slide(cls, number: int, title: str) -> Self:
        """A slide, by its number and what it is headed."""
        label = f"slide {number} > {title}"[:200] if title else f"slide {number}"
        titles = (title[:200],) if title else ()
        return cls(kind=PlaceKind.SLIDE, label=label, number=number, headings=titles)

    @classmethod
    def below(cls, headings: list[str]) -> Self:
        """Under headings, outermost first; without any it is the beginning of the text."""
        label = " > ".join(headings)[:200] or BEGINNING
        return cls(
            kind=PlaceKind.HEADING,
            label=label,
            headings=tuple(one[:200] for one in headings if one),
        )

    @classmethod
    def name(cls, name: str) -> Self:
        return cls(kind=PlaceKind.NAME, label=name[:200])

    @classmethod
    def message(cls) -> Self:
        return cls(kind=PlaceKind.MESSAGE, label="message")

    @classmethod
    def in_table(cls, table: str, *, column: str = "", row: int = 0) -> Self:
        """A table as a whole, one of its columns, or one of its rows."""
        if column:
            label, kind = f"{table}, column {column}", PlaceKind.COLUMN
        elif row:
            label, kind = f"{table}, row {row}", PlaceKind.ROW
        else:
            label, kind = table, PlaceKind.TABLE
        return cls(kind=kind, label=label, number=row, table=table, column=column)

    def of_cells(self) -> Self:
        """The same place, of the cells of a table that stands there."""
        return self.model_copy(update={"kind": PlaceKind.TABLE})

    def of_code(self) -> Self:
        """The same place, of lines of a program that stand there."""
        return self.model_copy(update={"kind": PlaceKind.CODE})

    @property
    def is_prose(self) -> bool:
        """Whether running text stands there: no code, no cells, and nothing said of tables."""
        return self.kind not in (
            PlaceKind.TABLE,
            PlaceKind.COLUMN,
            PlaceKind.ROW,
            PlaceKind.CODE,
        )

    def within(self, file: str) -> Self:
        """The same place in a file that stands inside of another."""
        inner = f"{file}/{self.file}" if self.file else file
        label = f"{file}: {self.label}"[:LONGEST_LABEL]
        return self.model_copy(update={"file": inner[-200:], "label": label})

    def __str__(self) -> str:
        return self.label


BEGINNING = "beginning"

"""Puts a file into passages that search can find: pieces of a text, or sentences about a table."""

import re
from collections.abc import Iterable, Iterator

import polars as pl

from foundations.public_works.parsing.models import (
    ColumnProfile,
    ColumnType,
    Passage,
    TableProfile,
)
from foundations.public_works.parsing.profiles import scalar

MAX_CHARACTERS = 1_000
MAX_PASSAGES = 20_000
ROW_PASSAGES = 1_000
_COLUMNS_IN_ROW = 30
_SENTENCE_END = re.compile(
    r"(?<=[.!?…。])[\"'\u201d\u2019)\]]*\s+(?=[\"'\u201c\u2018(\[]?[A-Z0-9À-ÞЀ-Я一-鿿])"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|No|Nr|Fig|vs|ca|cf|al|bzw|etc|e\.g|i\.e|z\.B|Vol|pp|p)\.)$"
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, each on one line, in their order."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        flat = " ".join(paragraph.split())
        start = 0
        for end in _SENTENCE_END.finditer(flat):
            if _ABBREVIATION.search(flat[start : end.start()]):
                continue
            found.append(flat[start : end.start()].strip())
            start = end.end()
        if rest := flat[start:].strip():
            found.append(rest)
    return found


def cut(text: str, place: str) -> Iterator[tuple[str, str]]:
    """Yield (place, passage) pairs, each passage at most a thousand characters.

    The cuts fall between paragraphs, else between sentences, else between words.
    """
    held = ""
    for paragraph in re.split(r"\n\s*\n", text):
        flat = "\n".join(" ".join(line.split()) for line in paragraph.splitlines()).strip()
        for piece in _pieces(flat):
            if held and len(held) + len(piece) + 2 > MAX_CHARACTERS:
                yield place, held
                held = piece
            else:
                held = f"{held}\n\n{piece}" if held else piece
    if held:
        yield place, held


def numbered(pieces: Iterable[tuple[str, str]]) -> list[Passage]:
    """Passages numbered from 1, up to the cap."""
    return [
        Passage(number=number, place=place, text=text)
        for number, (place, text) in zip(range(1, MAX_PASSAGES + 1), pieces, strict=False)
    ]


def of_table(table: TableProfile, frame: pl.DataFrame, *, rows: int) -> Iterator[tuple[str, str]]:
    """A table in words: a passage about it, one for each column, one for each of its first rows."""
    names = ", ".join(frame.columns)
    yield (
        table.name,
        _short(
            f"Table {table.name}: {table.row_count} rows and {table.column_count} columns: {names}."
        ),
    )
    for column in table.columns:
        yield f"{table.name}, column {column.name}", _short(describe_column(column, table))
    for number, row in enumerate(frame.head(rows).iter_rows(), start=1):
        cells = "; ".join(
            f"{name}: {scalar(cell)}"
            for name, cell in zip(frame.columns[:_COLUMNS_IN_ROW], row, strict=False)
            if cell is not None
        )
        yield f"{table.name}, row {number}", _short(f"{table.name}, row {number}: {cells}.")


def describe_column(column: ColumnProfile, table: TableProfile) -> str:
    """A sentence of what a column holds."""
    parts = [f"Column {column.name} of {table.name} holds {_KINDS[column.type]}"]
    if column.minimum is not None and column.type is not ColumnType.TEXT:
        parts.append(f"from {plain(column.minimum)} to {plain(column.maximum)}")
    if column.mean is not None:
        parts.append(f"with a mean of {plain(column.mean)} and a median of {plain(column.median)}")
    if column.most_frequent:
        parts.append("most often " + ", ".join(one.value for one in column.most_frequent))
    sentence = " ".join(parts)
    missing = f"; {column.missing} of {table.row_count} are missing" if column.missing else ""
    return f"{sentence}; {column.distinct} different values{missing}."


def plain(value: object) -> str:
    """A figure as people write it: four significant digits, whole numbers whole."""
    if isinstance(value, float):
        if value == int(value) and abs(value) < 1e15:
            return f"{int(value):,}"
        return f"{value:,.4g}" if 1e-4 <= abs(value) < 1e4 else _big(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _big(value: float) -> str:
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


_KINDS = {
    ColumnType.INTEGER: "whole numbers",
    ColumnType.NUMBER: "numbers",
    ColumnType.BOOLEAN: "yes or no",
    ColumnType.DATE: "dates",
    ColumnType.DATETIME: "points in time",
    ColumnType.TIME: "times of day",
    ColumnType.TEXT: "text",
    ColumnType.EMPTY: "nothing",
}


def _pieces(paragraph: str) -> Iterator[str]:
    """A paragraph whole, or by sentences, or by words when a sentence is too long."""
    if len(paragraph) <= MAX_CHARACTERS:
        if paragraph:
            yield paragraph
        return
    held = ""
    for sentence in sentences(paragraph):
        for part in _parts(sentence):
            if held and len(held) + len(part) + 1 > MAX_CHARACTERS:
                yield held
                held = part
            else:
                held = f"{held} {part}" if held else part
    if held:
        yield held


def _parts(sentence: str) -> Iterator[str]:
    while len(sentence) > MAX_CHARACTERS:
        at = sentence.rfind(" ", 1, MAX_CHARACTERS)
        at = at if at > MAX_CHARACTERS // 2 else MAX_CHARACTERS
        yield sentence[:at].rstrip()
        sentence = sentence[at:].lstrip()
    yield sentence


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"

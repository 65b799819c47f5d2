"""What stands above the rows of a table that people laid out: titles, names, groups, units."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

Cells = Sequence[str]

_LIKE_DATA = re.compile(r"\s*(?:[+-]?[\d.,]+(?:[eE][+-]?\d+)?|\d{4}-\d\d-\d\d.*)\s*")
_NUMERIC = re.compile(
    r"\s*(?:[(+-]?(?:[€$£]\s?)?\d[\d.,' \u00a0\u202f]*(?:[eE][+-]?\d+)?\s?(?:%|€|\$|£|EUR|CHF)?\)?"
    r"|\d{4}-\d\d-\d\d.*|\d{1,2}[./]\d{1,2}[./]\d{2,4}.*|\d{1,2}:\d\d(?::\d\d)?|-|true|false)\s*",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"[\[(][^\])]{1,12}[\])]|[%‰€$£¥-]|°\s?[CFK]?"
    r"|(?:[kcmµ]?m|[kmµ]?g|t|[hcm]?l|h?Pa|m?bar|[kMG]?Wh?|[kM]?Hz|[mµ]?s|min|h|d|K|V|A"
    r"|EUR|USD|GBP|CHF|Mio\.? EUR|pcs|Stk\.?)(?:[²³23]|/(?:h|s|d|m[²³23]?|l|kg))?"
)
_LONGEST_NUMBER = 60
_LOOKED_FOR = 30
"""So far down the names of columns are looked for."""
_LOOKED_AT = 200
_MOSTLY = 0.8


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the rows of a table.

    `names` is empty where no row names the columns, else `at` is the row that does. `body` is the
    first row of data.
    """

    titles: tuple[str, ...]
    names: tuple[str, ...]
    at: int
    body: int


def names_columns(first: Cells) -> bool:
    """Whether a first row looks like names: not when all its cells look like numbers or dates."""
    filled = [cell for cell in first if cell.strip()]
    return not filled or not all(_LIKE_DATA.fullmatch(cell) for cell in filled)


def head_of(rows: Sequence[Cells], *, header: bool | None = None) -> Head:
    """What stands above the data of these rows, the first of which is not blank.

    Lines above the names that fill less than half of the columns are titles. Names may stand in
    two rows, the upper for groups of columns, and units in a row below them. `header` says whether
    the first row names columns, where somebody has said so.
    """
    if header is not None:
        return Head((), tuple(rows[0]) if header else (), 0, 1 if header else 0)
    at = _row_of_names(rows)
    titles = [_said(row) for row in rows[:at]]
    names = [" ".join(cell.split()) for cell in rows[at]]
    if not names_columns(names):
        return Head(tuple(filter(None, titles)), (), at, at)
    body = at + 1
    if _are_names_below(rows, body, names):
        names, body = _grouped(names, rows[body]), body + 1
    elif titles and _groups_columns(rows[at - 1], rows[at]):
        names = _grouped(rows[at - 1], names)
        titles.pop()
    if _are_units(rows, body):
        units = [*rows[body], *[""] * len(names)]
        names = [_with_unit(name, unit) for name, unit in zip(names, units, strict=False)]
        body += 1
    return Head(tuple(filter(None, titles)), tuple(names), at, body)


def filled(row: Cells) -> int:
    """How many cells say something; a text that a merged cell repeats counts once."""
    said = [cell.strip() for cell in row if cell.strip()]
    return 1 if len(set(said)) == 1 else len(said)


def looks_numeric(cell: str) -> bool:
    """Whether a cell is a number, an amount, a date or a time, and no name."""
    return len(cell) <= _LONGEST_NUMBER and _NUMERIC.fullmatch(cell) is not None


def stands_above(rows: Sequence[Cells], at: int) -> bool:
    """Whether a row holds names only, one of them above numbers."""
    names = [cell for cell in rows[at] if cell.strip()]
    if len(names) < 2 or any(map(looks_numeric, names)):
        return False
    return any(
        cell.strip() and _is_numeric_below(rows, at + 1, column)
        for column, cell in enumerate(rows[at])
    )


def _row_of_names(rows: Sequence[Cells]) -> int:
    counts = [filled(row) for row in rows[:_LOOKED_AT]]
    several = sorted(count for count in counts if count > 1)
    usual = several[len(several) // 2] if several else 0
    if counts[0] * 2 > usual:
        return 0
    for at in range(1, min(len(counts), _LOOKED_FOR)):
        if counts[at] * 2 > usual:
            told = stands_above(rows, at) or not any(map(looks_numeric, rows[at]))
            return at if told and at + 1 < len(rows) else 0
    return 0


def _said(row: Cells) -> str:
    """What a line above a table says, once."""
    return " ".join(dict.fromkeys(" ".join(cell.split()) for cell in row if cell.strip()))


def _is_numeric_below(rows: Sequence[Cells], begin: int, column: int) -> bool:
    below = [
        row[column]
        for row in rows[begin : begin + _LOOKED_AT]
        if column < len(row) and row[column].strip()
    ]
    return bool(below) and sum(map(looks_numeric, below)) >= _MOSTLY * len(below)


def _are_names_below(rows: Sequence[Cells], at: int, above: Cells) -> bool:
    """Whether the row below names what the names above leave open or give twice."""
    if at + 1 >= len(rows) or not stands_above(rows, at) or _all_units(rows[at]):
        return False
    open_ones = [not name or name in above[:place] for place, name in enumerate(above)]
    return any(
        lacks and place < len(rows[at]) and rows[at][place].strip()
        for place, lacks in enumerate(open_ones)
    )


def _groups_columns(above: Cells, names: Cells) -> bool:
    """Whether a line above names groups of columns; `Author: | somebody` does not."""
    places = [place for place, cell in enumerate(above) if cell.strip()]
    return (
        filled(above) > 1
        and places[-1] > 1
        and not any(looks_numeric(above[place]) for place in places)
        and all(place < len(names) and names[place].strip() for place in places)
    )


def _grouped(groups: Cells, names: Cells) -> list[str]:
    """Names below those of their groups, each of which reaches to the next."""
    width = max(len(groups), len(names))
    group, made = "", []
    for place in range(width):
        group = (groups[place].strip() if place < len(groups) else "") or group
        name = names[place].strip() if place < len(names) else ""
        made.append(f"{group} {name}".strip() if name != group else name)
    return made


def _are_units(rows: Sequence[Cells], at: int) -> bool:
    if at + 1 >= len(rows) or not _all_units(rows[at]):
        return False
    return any(
        cell.strip() and _is_numeric_below(rows, at + 1, column)
        for column, cell in enumerate(rows[at])
    )


def _all_units(row: Cells) -> bool:
    said = [cell.strip() for cell in row if cell.strip()]
    return any(cell != "-" for cell in said) and all(_UNIT.fullmatch(cell) for cell in said)


def _with_unit(name: str, unit: str) -> str:
    bare = unit.strip().strip("[]()").strip("-")
    return f"{name} ({bare})" if bare and bare not in name else name

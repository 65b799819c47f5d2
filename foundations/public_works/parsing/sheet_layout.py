"""Finds the tables of a worksheet, where people set several, with titles and notes about them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from foundations.public_works.parsing.heads import Cells, filled, looks_numeric, stands_above

_LEAST_WORDS = 3
"""A lone column whose cells have more words than this on average is a text."""
_LONGEST_TEXT = 60
"""No text of one column has more lines."""


@dataclass(frozen=True, slots=True)
class Block:
    """A table: its rows, with what stands right above it, and its columns. The ends are beyond."""

    top: int
    bottom: int
    columns: tuple[int, ...]


@dataclass(slots=True)
class Layout:
    """What a worksheet holds. `notes` are lines that are no table."""

    blocks: list[Block] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def layout_of(rows: Sequence[Cells]) -> Layout:
    """The tables among the rows of a worksheet, top to bottom, then left to right."""
    found = Layout()
    for top, bottom in _below_each_other(rows):
        for block in _beside_each_other(rows, top, bottom):
            _take(found, rows, block)
    return found


def cells_of(rows: Sequence[Cells], block: Block) -> list[list[str]]:
    """The cells of a block."""
    return [[rows[row][c] for c in block.columns] for row in range(block.top, block.bottom)]


def _below_each_other(rows: Sequence[Cells]) -> Iterator[tuple[int, int]]:
    """Stretches of rows. One ends at blank rows where a head or another place follows."""
    stretch: tuple[int, int] | None = None
    for top, bottom in _runs([any(row) for row in rows]):
        if stretch is None:
            stretch = top, bottom
        elif _begins_anew(rows, stretch, top, bottom):
            yield stretch
            stretch = top, bottom
        else:
            stretch = stretch[0], bottom
    if stretch is not None:
        yield stretch


def _begins_anew(rows: Sequence[Cells], above: tuple[int, int], top: int, bottom: int) -> bool:
    """Whether rows below blank ones are another table: where names stand above numbers again."""
    if max(filled(row) for row in rows[above[0] : above[1]]) < 2:
        return False  # only titles so far
    begin = next((at for at in range(top, bottom) if filled(rows[at]) > 1), bottom)
    if begin == bottom:
        return False
    return stands_above(rows[begin:bottom], 0) and stands_above(
        [row for row in rows[above[0] : above[1]] if filled(row) > 1] or [[""]], 0
    )


def _beside_each_other(rows: Sequence[Cells], top: int, bottom: int) -> Iterator[Block]:
    """Columns apart by an empty one, which are tables of their own where they differ in height."""
    width = max(len(row) for row in rows[top:bottom])
    used = [any(rows[at][column] for at in range(top, bottom)) for column in range(width)]
    parts = [tuple(range(*run)) for run in _runs(used)]
    heights = {_reach(rows, top, bottom, part) for part in parts}
    if len(parts) < 2 or len(heights) == 1 or not _all_headed(rows, top, bottom, parts):
        yield Block(top, bottom, tuple(column for part in parts for column in part))
        return
    for part in parts:
        first, last = _reach(rows, top, bottom, part)
        yield Block(first, last, part)


def _reach(rows: Sequence[Cells], top: int, bottom: int, columns: Sequence[int]) -> tuple[int, int]:
    there = [at for at in range(top, bottom) if any(rows[at][column] for column in columns)]
    return there[0], there[-1] + 1


def _all_headed(
    rows: Sequence[Cells], top: int, bottom: int, parts: Sequence[Sequence[int]]
) -> bool:
    """Whether each part is a table by itself: two rows and more, the first of names."""
    for part in parts:
        first, last = _reach(rows, top, bottom, part)
        if last - first < 2 or any(looks_numeric(rows[first][column]) for column in part):
            return False
    return True


def _take(found: Layout, rows: Sequence[Cells], block: Block) -> None:
    """A block as a table, but for the notes below it; as notes where it is but text."""
    cells = cells_of(rows, block)
    if _is_text(cells):
        found.notes += _lines(cells)
        return
    bottom = block.top + _end_of_rows(cells)
    found.notes += _lines(cells[bottom - block.top :])
    found.blocks.append(Block(block.top, bottom, block.columns))


def _end_of_rows(cells: Sequence[Cells]) -> int:
    """Where the notes below a table begin; labels of groups among its rows are no notes."""
    counts = [filled(row) for row in cells]
    end = len(cells)
    while max(counts) > 2 and end and _is_note(cells[end - 1]):
        end -= 1
    first = next((at for at, count in enumerate(counts) if count > 1), 0)
    return len(cells) if 1 in counts[first:end] else end


def _is_text(cells: Sequence[Cells]) -> bool:
    """Whether rows hold sentences, one in each, or but one line."""
    said = _lines(cells)
    if max(map(filled, cells)) > 1 or any(map(looks_numeric, said)):
        return False
    words = sum(len(line.split()) for line in said)
    return len(said) == 1 or (len(said) <= _LONGEST_TEXT and words >= _LEAST_WORDS * len(said))


def _is_note(row: Cells) -> bool:
    """A blank row, or a first cell that says something alone."""
    said = [cell for cell in row if cell]
    return not said or (len(said) == 1 and row[0] == said[0] and len(said[0].split()) > 1)


def _lines(cells: Sequence[Cells]) -> list[str]:
    return [" ".join(filter(None, row)) for row in cells if any(row)]


def _runs(there: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where runs of what is there begin, and where they end."""
    for is_there, run in groupby(range(len(there)), key=lambda place: there[place]):
        places = list(run)
        if is_there:
            yield places[0], places[-1] + 1

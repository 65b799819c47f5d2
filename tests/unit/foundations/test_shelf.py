"""Vectors in memory: what is nearest is as if all had been read anew, whatever has changed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foundations.public_works.vectors import shelf as shelves
from foundations.public_works.vectors.shelf import Near, Row, Shelf

WIDTH = 4
QUESTION = np.array([1, 0, 0, 0], dtype=np.float32)


def rows(file_id: str, *firsts: float) -> list[Row]:
    """Vectors whose likeness to the question is told by their first numbers."""
    return [
        (file_id, number, np.array([first, 1, 0, 0], dtype="<f4").tobytes())
        for number, first in enumerate(firsts, start=1)
    ]


def keys(found: list[Near]) -> list[tuple[str, int]]:
    return [(file_id, number) for file_id, number, _ in found]


def test_nearest_come_first_and_ties_by_file_and_number() -> None:
    shelf = Shelf()
    shelf.refresh({"b": 1, "a": 1}, [*rows("b", 0.5, 0.9), *rows("a", 0.5, 0.1)])

    assert keys(shelf.nearest(QUESTION, 3, None)) == [("b", 2), ("a", 1), ("b", 1)]
    assert keys(shelf.nearest(QUESTION, 9, ["a", "nothing"])) == [("a", 1), ("a", 2)]
    assert shelf.nearest(QUESTION, 9, []) == []


def test_empty_shelf_has_nothing_near() -> None:
    shelf = Shelf()

    assert shelf.nearest(QUESTION, 3, None) == []
    shelf.refresh({"a": 1}, [])
    assert shelf.nearest(QUESTION, 3, None) == []
    assert shelf.size == 0


def test_changed_and_removed_files_are_forgotten() -> None:
    shelf = Shelf()
    shelf.refresh({"a": 1, "b": 1}, [*rows("a", 0.9), *rows("b", 0.8)])

    shelf.refresh({"a": 2}, rows("a", 0.1))

    assert [(one[0], round(one[2], 3)) for one in shelf.nearest(QUESTION, 9, None)] == [("a", 0.1)]


def test_cleared_shelf_can_be_filled_again() -> None:
    shelf = Shelf()
    shelf.refresh({"a": 1}, rows("a", 0.9))
    shelf.clear()

    assert shelf.nearest(QUESTION, 9, None) == []
    shelf.refresh({"a": 1}, rows("a", 0.9))
    assert keys(shelf.nearest(QUESTION, 9, None)) == [("a", 1)]


def test_shelf_grows_and_gives_room_back() -> None:
    shelf = Shelf()
    for stamp in range(1, 8):
        shelf.refresh({"a": stamp}, rows("a", *[n / 1_000 for n in range(1_000)]))

    assert keys(shelf.nearest(QUESTION, 2, None)) == [("a", 1_000), ("a", 999)]
    assert shelf.size < 4_000 * WIDTH * 4


FILES = st.dictionaries(
    st.sampled_from("abcde"),
    st.lists(st.integers(-9, 9), min_size=0, max_size=4),
    max_size=5,
)


@given(st.lists(FILES, min_size=1, max_size=6), st.integers(1, 6))
def test_after_any_changes_it_answers_as_a_new_one_would(
    steps: list[dict[str, list[int]]], limit: int
) -> None:
    least, shelves._LEAST_CAPACITY = shelves._LEAST_CAPACITY, 2
    try:
        shelf = Shelf()
        for stamp, files in enumerate(steps, start=1):
            stamps = dict.fromkeys(files, stamp)
            shelf.refresh(stamps, [row for one, f in files.items() for row in rows(one, *f)])
            fresh = Shelf()
            fresh.refresh(stamps, [row for one, f in files.items() for row in rows(one, *f)])
            for only in (None, ["a", "c"]):
                assert shelf.nearest(QUESTION, limit, only) == fresh.nearest(QUESTION, limit, only)
            flat = sorted(
                ((-float(f), one, n) for one, fs in files.items() for n, f in enumerate(fs, 1))
            )
            expected = [(one, n) for _, one, n in flat[:limit]]
            assert keys(shelf.nearest(QUESTION, limit, None)) == expected
    finally:
        shelves._LEAST_CAPACITY = least

"""Faults of a file that people write: collected all at once, each with its place and a suggestion.

The place is a line and column of the text and a path in its structure; the suggestion is the
nearest right name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from utilities.strict_yaml import Mark
from utilities.suggest import did_you_mean


@dataclass(frozen=True, slots=True, order=True)
class MarkedFault:
    """One fault: where it is in the text and in the structure, what is wrong, what may be meant."""

    mark: Mark
    path: str
    problem: str
    suggestion: str = ""

    def __str__(self) -> str:
        return f"{self.path}  {self.sentence}".lstrip()

    @property
    def sentence(self) -> str:
        return f"{self.problem}. {self.suggestion}" if self.suggestion else self.problem

    def line(self, file: str) -> str:
        """One line: `file:line:column  path  what is wrong. Did you mean ...?`."""
        return f"{file}:{self.mark}  {self}"


_MOST_SUGGESTED = 200
"""So many faults get a suggestion, each from so many names: a hostile file costs no more."""


@dataclass(slots=True)
class Faults:
    """Collects faults while a file is read, and knows where everything stands."""

    marks: dict[str, Mark] = field(default_factory=dict)
    found: list[MarkedFault] = field(default_factory=list)
    texts: dict[str, int] = field(default_factory=dict)
    """For texts that stand in the file as they are: how far behind the mark they begin."""
    _places: set[str] = field(default_factory=set)

    def add(
        self,
        place: str,
        problem: str,
        *,
        wrong: str = "",
        right: Iterable[str] = (),
        path: str = "",
        suggestion: str = "",
        column: int = 0,
    ) -> None:
        """Note a fault at `place` (a path whose mark is known, or below one); `path` shows instead.

        With `wrong`, the nearest of `right` is suggested. `column` counts from 0 in the text that
        stands at `place`.
        """
        mark = self.mark(place)
        if place in self.texts and place in self.marks:
            mark = Mark(mark.line, mark.column + self.texts[place] + column) if column else mark
        near = suggestion
        if not near and wrong and len(self.found) < _MOST_SUGGESTED:
            near = did_you_mean(wrong, islice(right, _MOST_SUGGESTED))
        self.found.append(MarkedFault(mark, path or place, problem, near))
        while place and place not in self._places:
            self._places.add(place)
            place = _above(place)

    def at(self, place: str) -> bool:
        """Whether there is a fault at `place` or below it."""
        return place in self._places

    def mark(self, place: str) -> Mark:
        """Where `place` stands; for something that is missing, what it is missing in."""
        while place not in self.marks and place:
            place = _above(place)
        return self.marks.get(place, Mark(1, 1))


def _above(place: str) -> str:
    return place[: max(place.rfind("."), place.rfind("["), 0)]

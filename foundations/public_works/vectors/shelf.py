"""The vectors of one tenant and model in memory, kept as one matrix and refreshed file by file."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = tuple[str, int, bytes]
"""File, number of the passage, vector as little-endian float32."""
Near = tuple[str, int, float]
"""File, number of the passage, cosine."""
_LEAST_CAPACITY = 1_024
_MOST_DEAD = 0.25
"""With a larger share of rows that belong to nothing any more, the matrix is made anew."""


class _Rows:
    """Vectors with the number of the file each belongs to (-1 for none any more) and its own."""

    __slots__ = ("matrix", "numbers", "owners")

    def __init__(self, capacity: int, width: int) -> None:
        import numpy as np

        self.matrix: NDArray[np.float32] = np.empty((capacity, width), dtype=np.float32)
        self.owners: NDArray[np.int32] = np.full(capacity, -1, dtype=np.int32)
        self.numbers: NDArray[np.int32] = np.zeros(capacity, dtype=np.int32)

    def take(self, other: "_Rows", rows: "NDArray[np.bool_]") -> None:
        """Begin with some rows of another."""
        count = int(rows.sum())
        for name in self.__slots__:
            getattr(self, name)[:count] = getattr(other, name)[: len(rows)][rows]


@dataclass(slots=True)
class Shelf:
    """Unit vectors row by row. `stamps` says of each file which of its versions is here."""

    stamps: dict[str, int] = field(default_factory=dict)
    seen: tuple[int, int] = (0, 0)
    """How many contents there were, and the sum of their stamps, when it was refreshed."""
    lock: Lock = field(default_factory=Lock)
    _files: list[str] = field(default_factory=list)
    _number_of: dict[str, int] = field(default_factory=dict)
    _rows: _Rows | None = None
    _used: int = 0
    _dead: int = 0

    @property
    def size(self) -> int:
        """Bytes of the matrix."""
        return 0 if self._rows is None else int(self._rows.matrix.nbytes)

    def clear(self) -> None:
        """Hold nothing."""
        self.stamps, self.seen = {}, (0, 0)
        self._files, self._number_of = [], {}
        self._rows = None
        self._used = self._dead = 0

    def refresh(self, stamps: Mapping[str, int], rows: Sequence[Row]) -> None:
        """Hold `stamps` from now on: `rows` are those of all files that are new or changed."""
        import numpy as np

        for file_id in [one for one, stamp in self.stamps.items() if stamps.get(one) != stamp]:
            self._drop(file_id)
        if rows:
            vectors = np.frombuffer(b"".join(row[2] for row in rows), dtype="<f4")
            self._append(rows, vectors.reshape(len(rows), -1))
        self.stamps = dict(stamps)
        if self._dead > max(_LEAST_CAPACITY, self._used * _MOST_DEAD):
            self._compact()

    def nearest(
        self, vector: "NDArray[np.float32]", limit: int, files: Collection[str] | None
    ) -> list[Near]:
        """The rows of the highest dot product, best first; of some files only where named.

        Ties go to the file and the passage, so that the answer is the same every time.
        """
        import numpy as np

        if self._rows is None or self._used == 0:
            return []
        owners = self._rows.owners[: self._used]
        scores = self._rows.matrix[: self._used] @ np.asarray(vector, dtype=np.float32)
        out = owners < 0
        if files is not None:
            wanted = [self._number_of[one] for one in files if one in self._number_of]
            out |= ~np.isin(owners, np.array(wanted, dtype=np.int32))
        scores[out] = -np.inf
        least = -np.inf
        if limit < self._used:
            least = np.partition(scores, self._used - limit)[self._used - limit]
        best = np.flatnonzero((scores >= least) & (scores > -np.inf))
        found = [
            (self._files[owners[at]], int(self._rows.numbers[at]), float(scores[at])) for at in best
        ]
        return sorted(found, key=lambda near: (-near[2], near[0], near[1]))[:limit]

    def _drop(self, file_id: str) -> None:
        number = self._number_of.pop(file_id, None)
        if number is not None and self._rows is not None:
            gone = self._rows.owners[: self._used] == number
            self._rows.owners[: self._used][gone] = -1
            self._dead += int(gone.sum())

    def _append(self, rows: Sequence[Row], vectors: "NDArray[np.float32]") -> None:
        into = self._with_room(len(rows), vectors.shape[1])
        end = self._used + len(rows)
        into.matrix[self._used : end] = vectors
        into.numbers[self._used : end] = [row[1] for row in rows]
        into.owners[self._used : end] = [self._number(row[0]) for row in rows]
        self._used = end

    def _number(self, file_id: str) -> int:
        if file_id not in self._number_of:
            self._number_of[file_id] = len(self._files)
            self._files.append(file_id)
        return self._number_of[file_id]

    def _with_room(self, more: int, width: int) -> _Rows:
        import numpy as np

        needed = self._used + more
        if self._rows is None:
            self._rows = _Rows(max(_LEAST_CAPACITY, needed), width)
        elif needed > len(self._rows.matrix):
            larger = _Rows(needed * 5 // 4, width)
            larger.take(self._rows, np.ones(self._used, dtype=np.bool_))
            self._rows = larger
        return self._rows

    def _compact(self) -> None:
        """Keep the rows that belong to something, and number the files anew."""
        import numpy as np

        assert self._rows is not None
        kept = self._rows.owners[: self._used] >= 0
        count = int(kept.sum())
        smaller = _Rows(max(_LEAST_CAPACITY, count), self._rows.matrix.shape[1])
        smaller.take(self._rows, kept)
        files = list(self._number_of)
        new = np.full(len(self._files), -1, dtype=np.int32)
        for number, one in enumerate(files):
            new[self._number_of[one]] = number
        smaller.owners[:count] = new[smaller.owners[:count]]
        self._rows = smaller
        self._files, self._number_of = files, {one: at for at, one in enumerate(files)}
        self._used, self._dead = count, 0

"""Real files made wrong: the same number of the same seed gives the same file."""

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from random import Random

from tests.support.data_files import DATA, data_files

_SUFFIXES = [".csv", ".pdf", ".xlsx", ".json", ".html", ".eml", ".zip", ".rtf", ".parquet", ""]
_ODD = [b"\0", b"\xff" * 8, b"<", b"&", b'"', b"{", b"\\", b"%PDF-", b"PK\3\4", b"\r\n", b"=" * 40]


@dataclass(frozen=True, slots=True)
class Mutated:
    """A file made wrong, and how."""

    name: str
    data: bytes
    how: str


def mutated(seed: int, number: int) -> Mutated:
    """The file of this number: one of tests/data after one to four mutations."""
    draw = Random(f"{seed}:{number}")
    name = draw.choice(data_files())
    data = (DATA / name).read_bytes()
    told = []
    for _ in range(draw.randint(1, 4)):
        change = draw.choice(_CHANGES)
        data = change(data, draw)[:1_500_000]
        told.append(change.__name__.strip("_"))
    called = PurePath(name).stem + draw.choice(_SUFFIXES) if draw.random() < 0.1 else name
    return Mutated(called, data, f"{name}: {', '.join(told)}")


def _flip(data: bytes, draw: Random) -> bytes:
    made = bytearray(data)
    for _ in range(draw.choice([1, 3, 30, 300])):
        if made:
            made[draw.randrange(len(made))] ^= 1 << draw.randrange(8)
    return bytes(made)


def _cut(data: bytes, draw: Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _drop(data: bytes, draw: Random) -> bytes:
    start = draw.randrange(len(data) + 1)
    return data[:start] + data[start + draw.choice([1, 16, 700, 20_000]) :]


def _repeat(data: bytes, draw: Random) -> bytes:
    start = draw.randrange(len(data) + 1)
    piece = data[start : start + draw.choice([1, 16, 700, 20_000])]
    return data[:start] + piece * draw.choice([2, 9, 60]) + data[start:]


def _insert(data: bytes, draw: Random) -> bytes:
    start = draw.randrange(len(data) + 1)
    return data[:start] + draw.choice(_ODD) * draw.choice([1, 50, 3_000]) + data[start:]


def _blank(data: bytes, draw: Random) -> bytes:
    start = draw.randrange(len(data) + 1)
    size = draw.choice([4, 64, 5_000])
    return data[:start] + bytes([draw.choice([0, 32, 255])]) * size + data[start + size :]


def _splice(data: bytes, draw: Random) -> bytes:
    other = (DATA / draw.choice(data_files())).read_bytes()
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other)) :]


def _numbers(data: bytes, draw: Random) -> bytes:
    """Some digits become nines, so that sizes and counts lie."""
    made = bytearray(data)
    places = [at for at, byte in enumerate(made[:200_000]) if 48 <= byte <= 57]
    for at in draw.sample(places, min(len(places), draw.choice([1, 5, 40]))):
        made[at] = 57
    return bytes(made)


def _inside(data: bytes, draw: Random) -> bytes:
    """One entry of a package is made wrong, and the package is whole again."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as given:
            entries = {info.filename: given.read(info) for info in given.infolist()}
    except _UNPACKABLE:
        return _flip(data, draw)
    if not entries:
        return data
    chosen = draw.choice(sorted(entries))
    entries[chosen] = draw.choice(_PLAIN)(entries[chosen], draw)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return out.getvalue()


_UNPACKABLE = (
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    NotImplementedError,
    OSError,
    ValueError,
    EOFError,
)
_PLAIN: list[Callable[[bytes, Random], bytes]] = [
    _flip,
    _cut,
    _drop,
    _repeat,
    _insert,
    _blank,
    _splice,
    _numbers,
]
_CHANGES = [*_PLAIN, _inside, _inside, _inside]

"""Makes the files of tests/data and writes down what is true of them.

`python -m tests.data.making` makes all, and needs the extra `data`; `--plain` makes those that the
standard library makes. A file that comes out the same as it stands there is left alone.
"""

import json
import sys
from pathlib import Path

from tests.data.making import containers, delimited, documents, known, structured, texts, workbooks
from tests.data.making.made import Made, Truth

DATA = Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    plain = "--plain" in arguments
    made = everything(plain=plain)
    for name, file in made.items():
        _write(DATA / name, file.data)
        _write_truth(name, file.truth)
    for name, truth in known.truths().items():
        _write_truth(name, truth)
    sys.stdout.write(f"{len(made)} files\n")
    return 0


def everything(*, plain: bool) -> dict[str, Made]:
    """Every file by its name, or only those made by the standard library alone."""
    rooms = [delimited, texts, containers] if plain else _ROOMS
    found: dict[str, Made] = {}
    for room in rooms:
        found |= room.files()
    return {name: file for name, file in found.items() if file.plain or not plain}


_ROOMS = [delimited, structured, workbooks, texts, documents, containers]


def _write_truth(name: str, truth: Truth) -> None:
    told = json.dumps(truth, ensure_ascii=False, indent=1, sort_keys=True, default=str)
    _write(DATA / "truths" / f"{name}.json", told.encode() + b"\n")


def _write(path: Path, data: bytes) -> None:
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The files of tests/data, and what is true of them."""

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data"
_NO_DATA = {"README.md"}


def data_files() -> list[str]:
    """The names of the files there are, in order."""
    return sorted(
        path.name for path in DATA.iterdir() if path.is_file() and path.name not in _NO_DATA
    )


def truth_of(name: str) -> dict[str, Any]:
    """What is known of a file; see tests/data/README.md."""
    found: dict[str, Any] = json.loads((DATA / "truths" / f"{name}.json").read_text("utf-8"))
    return found


def readable_files() -> list[str]:
    """The files of which it is not true that they cannot be read."""
    return [name for name in data_files() if "fault" not in truth_of(name)]

"""CPU of processes that are measured from outside (Linux)."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def of_tree(pid: int) -> float:
    """Seconds of CPU of a process and all below it, those that have ended with them."""
    return sum(_used(one) for one in _tree(pid)) if pid else 0.0


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = " ".join((task / "children").read_text() for task in tasks)
    except OSError:
        return
    for child in children.split():
        yield from _tree(int(child))


def _used(pid: int) -> float:
    try:
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, parts[11:15])) / _TICK  # its own, and that of children it waited for

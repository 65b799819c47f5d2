"""What is to be measured."""

from dataclasses import dataclass
from pathlib import Path

PARTS = ("compare", "waits", "slow-disk", "stores", "boot", "recovery")


@dataclass(frozen=True, slots=True)
class Plan:
    """One use of the benchmark: `compare` names peers, `only` the parts of it."""

    compare: tuple[str, ...] = ("raw",)
    in_flight: tuple[int, ...] = (1, 100, 1000)
    rounds: int = 3
    seconds: float = 5
    peers_python: str = ""
    """The interpreter that has the peers; empty for this one."""
    only: tuple[str, ...] = ("compare",)
    profile: bool = False
    folder: Path | None = None
    """Where the stores are made, and so the disk that is measured; None for the temporary one."""
    store_sizes: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    waiting: int = 1_000_000
    held: int = 10_000
    syncs: bool = True

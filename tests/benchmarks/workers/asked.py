"""What a measured process of the benchmark of workers is told."""

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Asked:
    """Its command line; every system takes all of it and uses what it can."""

    folder: Path
    database: str
    broker: str
    in_flight: int
    seconds: float
    workers: int
    per_message: int
    """So many runs travel in one message at the most; 0 for as many as the city sees fit."""
    cpu_ms: float
    fan: int
    """So many items has each run, all at once; 0 for runs of four steps."""
    database_pid: int
    broker_pid: int
    """The servers' processes, to tell what they use."""
    profile: str
    """Where to write the accepting process's profile; empty for none."""

    @classmethod
    def from_command_line(cls) -> "Asked":
        parser = argparse.ArgumentParser()
        parser.add_argument("--folder", type=Path, required=True)
        parser.add_argument("--database", required=True)
        parser.add_argument("--broker", required=True)
        parser.add_argument("--in-flight", type=int, default=100)
        parser.add_argument("--seconds", type=float, default=5)
        parser.add_argument("--workers", type=int, default=2, help="0: in this process")
        parser.add_argument("--per-message", type=int, default=0)
        parser.add_argument("--cpu-ms", type=float, default=0, help="what each step burns")
        parser.add_argument("--fan", type=int, default=0)
        parser.add_argument("--database-pid", type=int, default=0)
        parser.add_argument("--broker-pid", type=int, default=0)
        parser.add_argument("--profile", default="")
        return cls(**vars(parser.parse_args()))

"""A full disk: starts are refused clearly, runs under way keep their results, and all goes on."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.chaos import ledger, store
from tests.chaos.expecting import expected_outcomes
from tests.chaos.host import Orders
from tests.chaos.killing import HEALS
from tests.chaos.processes import CityProcess, NotOpened, make_store, start
from tests.chaos.referee import Verdict, judge
from tests.chaos.small_city import trial_texts

Say = Callable[[str], None]

_SIZE = "48m"
_FULL_SECONDS = 1.5
_BUSY_SECONDS = 0.7
_REFUSALS = ("storage_full", "database_busy", "journal_unusable", "not_open")


class NoSmallDisk(Exception):
    """No small file system can be mounted here."""


class While(StrEnum):
    """What happens to the city while the disk is full."""

    LIVES = "lives"
    CLOSES = "closes"
    KILLED = "killed"


@dataclass(slots=True)
class Filled:
    """What a round on a full disk found."""

    kills: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """What those heard who wanted to start a run."""
    not_opened: int = 0
    """How often a city said that it does not open on a full disk."""
    verdict: Verdict = field(default_factory=Verdict)


def fill(*, rounds: int, seed: int, say: Say = lambda line: None) -> Filled:
    """Fill the disk under load, in each way in turn."""
    expected = expected_outcomes()
    found = Filled()
    with tempfile.TemporaryDirectory(prefix="civitas-chaos-") as scratch:
        for number in range(rounds):
            how = list(While)[number % len(While)]
            notes = Path(scratch) / f"ledger-{number}"
            notes.mkdir()
            with small_disk(Path(scratch) / "disk") as disk, ledger.keeping(notes):
                make_store(disk / "city", notes)
                _round(disk, notes, f"f{number}", seed + number, how, found)
                kept = store.read(disk / "city" / store.DATABASE)
            told = ledger.notes(notes)
            refused = Counter(n["why"] for n in told if n.get("answer") == "failed")
            found.refused += refused
            found.verdict.add(judge(kept, told, expected=expected))
            if not refused & Counter(dict.fromkeys(_REFUSALS, 1)):
                found.verdict.differs.append(f"nobody was told that the disk was full ({how})")
            say(f"the city {how}: {dict(refused)}, {found.verdict.figures()}")
    return found


def _round(disk: Path, notes: Path, name: str, seed: int, how: While, found: Filled) -> None:
    orders = Orders(
        folder=disk / "city",
        ledger=notes,
        name=name,
        seed=seed,
        clients=10,
        journeys=tuple(sorted(trial_texts().keys() - {"trial_large"})),
    )
    city = start(orders)
    try:
        city.opened()
        time.sleep(_BUSY_SECONDS)
        with _full(disk):
            time.sleep(_FULL_SECONDS)
            if how is While.CLOSES:
                city.close()
            elif how is While.KILLED:
                found.kills += 1
                city.send(signal.SIGKILL)
                city.process.join()
                found.not_opened += _opens_not(orders)
        if how is not While.LIVES:
            city = start(Orders(folder=orders.folder, ledger=notes, name=f"{name}h", clients=0))
            city.opened()
        if not city.quiet(seconds=HEALS):
            found.verdict.stranded.append(f"the city that {how} came to no rest")
        city.close()
    finally:
        city.kill()


def _opens_not(orders: Orders) -> bool:
    """Whether a city refuses to open, on the full disk, in words."""
    again: CityProcess = start(
        Orders(folder=orders.folder, ledger=orders.ledger, name="full", clients=0)
    )
    try:
        again.opened()
    except NotOpened:
        return any(said.startswith("refused") for said in again.said)
    finally:
        again.kill()
    return False


@contextmanager
def small_disk(at: Path) -> Iterator[Path]:
    """A small file system of its own.

    Raises:
        NoSmallDisk: this user may not mount one.
    """
    at.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "civitas-trial", str(at)]
    if (
        not shutil.which("mount")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        raise NoSmallDisk("mounting a small file system needs root")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


@contextmanager
def _full(disk: Path) -> Iterator[None]:
    """Keep the disk full: what is given back to it is taken at once."""
    ends = threading.Event()
    filler = disk / "filler"

    def keep_full() -> None:
        with filler.open("ab", buffering=0) as file:
            while not ends.is_set():
                with suppress(OSError):
                    while True:
                        file.write(bytes(1 << 20))
                with suppress(OSError):
                    while True:
                        file.write(bytes(1 << 12))
                os.fsync(file.fileno())
                ends.wait(0.01)

    thread = threading.Thread(target=keep_full)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
        filler.unlink()


def few_pages(seed: int, *, pages: int = 120) -> Filled:
    """The same where no disk can be mounted: a store that may not grow, then may."""
    expected: dict[str, Any] = expected_outcomes()
    found = Filled()
    with tempfile.TemporaryDirectory(prefix="civitas-chaos-") as scratch:
        notes, folder = Path(scratch) / "ledger", Path(scratch) / "city"
        notes.mkdir()
        with ledger.keeping(notes):
            make_store(folder, notes)
            journeys = tuple(sorted(trial_texts().keys() - {"trial_large"}))
            orders = Orders(
                folder=folder, ledger=notes, name="p", seed=seed, journeys=journeys, pages=pages
            )
            city = start(orders).opened()
            time.sleep(_BUSY_SECONDS + _FULL_SECONDS)
            city.kill()
            found.kills += 1
            city = start(Orders(folder=folder, ledger=notes, name="ph", clients=0)).opened()
            if not city.quiet(seconds=HEALS):
                found.verdict.stranded.append("the city with room again came to no rest")
            city.close()
        told = ledger.notes(notes)
        found.refused += Counter(n["why"] for n in told if n.get("answer") == "failed")
        kept = store.read(folder / store.DATABASE)
    found.verdict.add(judge(kept, told, expected=expected))
    if not any(found.refused[name] for name in _REFUSALS):
        found.verdict.differs.append("nobody was told that there was no room")
    return found

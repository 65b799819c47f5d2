"""What SQLite commits at most: one insert and one update a commit, one commit after the other."""

import time
from importlib import import_module, util
from typing import Any

from tests.benchmarks.journeys import meter

_TABLES = """
CREATE TABLE runs (run INTEGER PRIMARY KEY, status TEXT NOT NULL, done INTEGER NOT NULL);
CREATE TABLE results (
  run INTEGER NOT NULL, milestone INTEGER NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY (run, milestone)
) WITHOUT ROWID;
"""


def main() -> None:
    asked = meter.Asked.from_command_line()
    driver = import_module("pysqlite3" if util.find_spec("pysqlite3") else "sqlite3")
    store = driver.connect(asked.folder / "raw.sqlite3", isolation_level=None)
    journal_mode = store.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    store.execute("PRAGMA synchronous=FULL")
    store.executescript(_TABLES)
    counted = meter.Meter(asked.in_flight, asked.seconds)
    figures = _commits(store, counted)
    done = "SELECT count(*) FROM runs WHERE status = 'done' AND done = 4"
    meter.check_stored(store.execute(done).fetchone()[0], counted.runs)
    figures["settings"] = {
        "sqlite": driver.sqlite_version,
        "driver": driver.__name__,
        "journal_mode": journal_mode,
        "synchronous": "full",
        "fsync": True,
        "note": "plain commits one after the other, no group commit; the accept is not a commit",
    }
    meter.tell(figures)


def _commits(store: Any, counted: meter.Meter) -> dict[str, Any]:
    """Take one milestone of each run in flight in turn, a commit each."""
    runs = [_Run(store, counted, number) for number in range(counted.in_flight)]
    end = time.perf_counter() + min(1.0, counted.seconds / 3)
    while time.perf_counter() < end:
        _turn(runs)
    opened = counted.moment()
    turns = 0
    while time.perf_counter() < opened.at + counted.seconds or turns < meter.MILESTONES:
        _turn(runs)  # at least as often as a run has milestones, so that some end
        turns += 1
    closed = counted.moment()
    while any(run.milestone for run in runs):
        for run in runs:
            if run.milestone:
                run.go_on()
    return counted.figures_between(opened, closed)


def _turn(runs: list["_Run"]) -> None:
    for run in runs:
        run.go_on()


class _Run:
    """A run, and after its end the next one in its place."""

    def __init__(self, store: Any, counted: meter.Meter, number: int) -> None:
        self._store, self._counted, self._number = store, counted, number
        self.milestone, self._began = 0, 0.0

    def go_on(self) -> None:
        """Commit the next milestone."""
        if self.milestone == 0:
            self._began = time.perf_counter()
        data = f'{{"n": {self.milestone + 1}, "text": "{meter.TEXT}"}}'
        done = self.milestone + 1
        execute = self._store.execute
        execute("BEGIN IMMEDIATE")
        if self.milestone == 0:
            execute("INSERT INTO runs VALUES (?, 'running', 0)", (self._number,))
        execute("INSERT INTO results VALUES (?, ?, ?)", (self._number, self.milestone, data))
        status = "done" if done == meter.MILESTONES else "running"
        change = "UPDATE runs SET status = ?, done = ? WHERE run = ?"
        execute(change, (status, done, self._number))
        execute("COMMIT")
        self._counted.begun(self.milestone)
        self.milestone = done % meter.MILESTONES
        if self.milestone == 0:
            self._counted.ended(self._began)
            self._number += self._counted.in_flight


if __name__ == "__main__":
    main()

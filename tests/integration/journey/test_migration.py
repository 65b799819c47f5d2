"""Runs that an earlier version of the city wrote go on under this one."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection

from foundations.public_works.adapters.sqlite import SqliteDatabase
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.settings import Settings
from realms.journey.api import Reason, RunStatus
from realms.journey.language.compiling import load_plan
from realms.journey.records import DatabaseJournal
from tests.support.journals import MIGRATIONS, open_database
from tests.support.journeys import (
    BEGAN,
    DATA_MASH,
    DATA_MASH_ANSWERS,
    USER,
    FakeServices,
    JourneyCity,
)
from utilities.context import bound
from utilities.ids import TimeSortableIds

pytestmark = pytest.mark.anyio

HASH = load_plan(DATA_MASH, FakeServices(), file="mash.yaml").text_hash
AT = BEGAN.isoformat()
UPLOADED = DATA_MASH_ANSWERS["process_client_file"]({"file_id": "f1"})


def began(path: str, attempt: int = 1) -> dict[str, Any]:
    return {"kind": "milestone_began", "at": AT, "path": path, "attempt": attempt}


def succeeded(path: str, output: dict[str, Any]) -> dict[str, Any]:
    fact = {"kind": "milestone_succeeded", "at": AT, "path": path, "attempt": 1}
    return {**fact, "output": output}


STARTED = {
    "kind": "run_started",
    "at": AT,
    "template": "data_mash_flow",
    "template_hash": HASH,
    "values": {"file_id": "f1"},
    "trace_id": "trace-of-then",
    "tenant": "north",
    "principal": "ada",
    "roles": ["owner"],
    "alias": "",
}
ERROR = {"kind": "invalid", "code": "unreadable", "title": "No.", "detail": "no parser"}
FAILED = {**began("file_parsed"), "kind": "attempt_failed", "error": ERROR}
GIVEN_UP = {
    "kind": "milestone_failed",
    "at": AT,
    "path": "file_parsed",
    "reason": "error",
    "error": ERROR,
}
FAR: list[dict[str, Any]] = [
    STARTED,
    began("file_uploaded"),
    succeeded("file_uploaded", UPLOADED),
    began("file_parsed"),
]
WAKE = BEGAN + timedelta(seconds=30)
RETRIES = {"kind": "retry_scheduled", "at": AT, "path": "file_parsed", "wake_at": WAKE.isoformat()}
AMBIGUOUS = {"kind": "milestone_waiting", "at": AT, "path": "file_parsed", "reason": "ambiguous"}
ENDED = {"kind": "run_failed", "at": AT, "reason": "error", "error": ERROR}


async def write_as_version_1(
    folder: Path, scripts: Path, runs: dict[str, tuple[str, str, Any, list[dict[str, Any]]]]
) -> None:
    """A database as the version before made it: one fact for each entry, rows with an epoch."""
    scripts.mkdir()
    shutil.copy(MIGRATIONS / "0001_journey.py", scripts)
    settings = Settings(data_dir=folder)
    async with (
        DataFolder(settings=settings, ids=TimeSortableIds()) as data,
        SqliteDatabase(folder=data) as database,
    ):
        await database.migrate("journey", scripts)

        def work(connection: Connection) -> None:
            connection.exec_driver_sql("INSERT INTO journey_epochs (epoch) VALUES (1)")
            connection.exec_driver_sql(
                "INSERT INTO journey_texts VALUES (?, 'data_mash_flow', NULL, ?)", (HASH, DATA_MASH)
            )
            for run_id, (status, reason, wake, facts) in runs.items():
                micros = round(BEGAN.timestamp() * 1_000_000)
                values = (run_id, f"alias of {run_id}", HASH, status, reason, wake, micros, micros)
                connection.exec_driver_sql(
                    "INSERT INTO journey_runs VALUES "
                    "(?, 'north', ?, 'data_mash_flow', ?, ?, ?, ?, ?, ?, 9, 1)",
                    values,
                )
                rows = [
                    (run_id, seq, orjson.dumps({"v": 1, "fact": fact}))
                    for seq, fact in enumerate(facts)
                ]
                connection.exec_driver_sql("INSERT INTO journey_facts VALUES (?, ?, ?)", rows)

        await database.write(work)


async def test_runs_of_the_version_before_go_on_and_those_that_ended_stay(tmp_path: Path) -> None:
    now = round(BEGAN.timestamp() * 1_000_000)
    later = round(WAKE.timestamp() * 1_000_000)
    await write_as_version_1(
        tmp_path / "data",
        tmp_path / "scripts",
        {
            "run-a": ("running", "", now, FAR),
            "run-b": ("waiting", "retry", later, [*FAR, FAILED, RETRIES]),
            "run-c": ("waiting", "ambiguous", None, [*FAR, AMBIGUOUS]),
            "run-d": ("failed", "error", None, [*FAR, FAILED, GIVEN_UP, ENDED]),
        },
    )

    async with (
        open_database(tmp_path / "data") as database,
        JourneyCity(DatabaseJournal(database=database)) as city,
    ):
        with bound(USER):
            await city.dispatch.settle()
            runs = {name: await city.engine.get(f"run-{name}") for name in "abcd"}
            again = await city.engine.get("alias of run-a")

            assert runs["a"].status is RunStatus.SUCCEEDED
            assert again.run_id == "run-a"
            assert (runs["a"].milestones[1].crashes, runs["a"].milestones[1].attempts) == (1, 2)
            assert runs["a"].trace_id == "trace-of-then"
            assert runs["b"].status is RunStatus.SUCCEEDED
            assert runs["b"].milestones[1].failures == 1
            assert WAKE <= city.clock.now() < WAKE + timedelta(seconds=1)
            assert (runs["c"].status, runs["c"].reason) == (RunStatus.WAITING, Reason.AMBIGUOUS)
            assert (runs["d"].status, runs["d"].error and runs["d"].error.code) == (
                RunStatus.FAILED,
                "unreadable",
            )
            assert "process_client_file" not in city.services.called

            result: dict[str, Any] = {"parse_result": {}, "semantic_result": {}}
            for name in "cd":
                await city.engine.supply(f"run-{name}", "file_parsed", result)
            await city.dispatch.settle()
            ends = [(await city.engine.get(f"run-{name}")).status for name in "cd"]
            assert ends == [RunStatus.SUCCEEDED] * 2

"""The real city with the measured realm in it, and what is asked of it as its users would."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import realms
from foundations.public_works.adapters.sqlite_driver import sqlite_driver
from foundations.public_works.database import Database, Dialect
from foundations.public_works.settings import Settings
from main import Platform
from realms.journey.api import JourneyRun, Journeys, RunStatus
from realms.journey.runs import JourneyRunsService
from tests.benchmarks.journeys import meter
from utilities.context import CallContext, bound
from utilities.long_lived import calm_collector
from utilities.observability.logs import configure_logs

TEMPLATE = "benchmark_four"
FAN = "benchmark_fan"
VALUES = {"n": 0, "text": meter.TEXT}
_REALM = Path(__file__).parent / "city"
_LOOKED_AT = 500
_PATIENCE = 120


@asynccontextmanager
async def open_city(folder: Path, **others: Any) -> AsyncIterator[Platform]:
    """The city as `serve` boots it, with its usual logs, and the realm `benchmark` beside ours.

    `others` are settings that are not as a new city has them.
    """
    if str(_REALM) not in realms.__path__:
        realms.__path__.append(str(_REALM))
    settings = Settings(data_dir=folder, **others)
    configure_logs(level=settings.log_level)
    async with Platform(settings) as city:
        calm_collector()  # as `serve` does
        yield city


def user() -> AbstractContextManager[CallContext]:
    """The call context of the benchmark's one user."""
    return bound(CallContext("trace-of-the-benchmark"))


async def one_run(journeys: Journeys) -> JourneyRun:
    """Start a run and wait for its end, as a user would.

    Raises:
        AssertionError: it did not succeed with the right result.
    """
    with user():
        begun = await journeys.start(TEMPLATE, VALUES)
        run = await journeys.wait(begun.run_id, seconds=_PATIENCE)
    assert run.status is RunStatus.SUCCEEDED, (run.status, run.reason, run.error)
    assert run.milestones[-1].output == {"n": meter.MILESTONES, "text": meter.TEXT}
    return run


async def one_fan(journeys: Journeys, items: int) -> None:
    """Start a run of so many items and wait for its end.

    Raises:
        AssertionError: it did not succeed with the right result.
    """
    with user():
        begun = await journeys.start(FAN, {"rows": list(range(items)), "text": meter.TEXT})
        run = await journeys.wait(begun.run_id, seconds=_PATIENCE)
    assert run.status is RunStatus.SUCCEEDED, (run.status, run.reason, run.error)
    assert run.output == [n + 1 for n in range(items)]


async def stored_runs(
    city: Platform, *, status: RunStatus = RunStatus.SUCCEEDED, template: str = TEMPLATE
) -> int:
    """How many runs are in the journal with this status, as the city itself lists them."""
    listing, count, cursor = city.registry.get(JourneyRunsService), 0, ""
    with user():
        while True:
            page = await listing.list_runs(status, template, 200, cursor)
            count += len(page.runs)
            if not (cursor := page.next_cursor):
                return count


async def check_results(city: Platform) -> int:
    """Look at the results of the newest runs in the journal; how many were looked at.

    Raises:
        AssertionError: a milestone of a run lacks its result.
    """
    listing, seen, cursor = city.registry.get(JourneyRunsService), 0, ""
    with user():
        while seen < _LOOKED_AT:
            page = await listing.list_runs(RunStatus.SUCCEEDED, TEMPLATE, 200, cursor)
            for summary in page.runs:
                run = await listing.get_run(summary.run_id)
                results = [milestone.output for milestone in run.milestones]
                expected = [{"n": n + 1, "text": meter.TEXT} for n in range(meter.MILESTONES)]
                assert results == expected, results
            seen += len(page.runs)
            if not (cursor := page.next_cursor):
                break
    return seen


async def settings_of(city: Platform) -> dict[str, Any]:
    """How the city keeps what it keeps, asked of the store itself."""
    database = city.registry.get(Database)
    loop = {"loop": meter.loop_name()}
    if database.dialect is Dialect.POSTGRESQL:
        asked = (
            "SELECT current_setting(name) FROM unnest(ARRAY[?, ?, ?]) WITH ORDINALITY AS n(name)"
        )
        names = ("server_version", "synchronous_commit", "fsync")
        rows = await database.commit_statement(asked, names)
        return {"postgresql": rows[0][0], "synchronous_commit": rows[1][0], **loop} | {
            "fsync": rows[2][0] == "on"
        }
    driver = sqlite_driver()

    def ask(connection: Any) -> tuple[str, int]:
        asked = ("PRAGMA journal_mode", "PRAGMA synchronous")
        return tuple(connection.exec_driver_sql(question).scalar_one() for question in asked)

    journal_mode, synchronous = await database.write(ask)
    return {
        "sqlite": driver.sqlite_version,
        "driver": driver.__name__,
        "journal_mode": journal_mode,
        "synchronous": {1: "normal", 2: "full", 3: "extra"}[synchronous],
        "fsync": True,
        **loop,
    }

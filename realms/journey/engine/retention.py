"""Moves runs that ended long ago from the journal to the archive, a few at a time.

The archive is in the object store, below `archive/journeys/{template}/`: JSON lines, one for each
run, with its row, its entries and its large payloads. A run is in the archive before it leaves
the journal. Dead letters that nobody has settled stay.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import orjson
from loguru import logger

from foundations.boot import Duty, Works
from foundations.public_works.dispatch import Dispatch
from foundations.public_works.hourly import Hourly
from foundations.public_works.object_store import ObjectNotFound, ObjectStore
from foundations.public_works.settings import Settings
from realms.journey.engine.driver import Driver
from realms.journey.engine.journal import Journal, RunRow, Stored
from realms.journey.engine.leadership import Leadership
from realms.journey.engine.records import ArchiveRecords
from realms.journey.engine.schedules import ScheduledTemplates
from utilities.clock import Clock
from utilities.errors import PlatformError

QUEUE = "journey-retention"

_PAGE = 100
_LARGEST = 8 * 1024 * 1024
"""An object of the archive is closed when it is larger than this."""
_BREATH = 0.05
"""Seconds of rest after each page: runs that move go first."""


class Retention(Works):
    """Keeps finished runs as long as their template says, or else as the city is set.

    What the template says now counts, for runs that began with an older text too; where tenants
    have stored several of one name, the longest.
    """

    duties = frozenset({Duty.ALL, Duty.SCHEDULE})

    def __init__(
        self,
        *,
        journal: Journal,
        templates: ScheduledTemplates,
        driver: Driver,
        records: ArchiveRecords,
        objects: ObjectStore,
        leadership: Leadership,
        dispatch: Dispatch,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._leadership = leadership
        self._journal = journal
        self._templates = templates
        self._driver = driver
        self._records = records
        self._objects = objects
        self._clock = clock
        self._default = timedelta(days=settings.journey_retention_days)
        self._hourly = Hourly(QUEUE, self._sweep, dispatch=dispatch, clock=clock)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Look every hour inside the block; leaving waits for the page in progress."""
        async with self._hourly.going_on():
            yield

    async def archive(self) -> int:
        """Archive every run that was kept long enough; how many there were."""
        async with self._hourly.one_at_a_time:
            await self._clear()
            moved = 0
            keeps = await self._keeps()
            for template in await self._journal.templates():
                before = self._clock.now() - keeps.get(template, self._default)
                moved += await self._archive(template, before)
                await self._records.forget_memos(template, before=before)
            return moved

    async def _sweep(self) -> None:
        try:
            if await self._leadership.leads() and (moved := await self.archive()):
                logger.info("{:,} finished runs were archived", moved)
        except PlatformError as error:
            logger.error("finished runs could not be archived: {}", error.detail)

    async def _keeps(self) -> dict[str, timedelta]:
        """How long runs of each template are kept."""
        found: dict[str, timedelta] = {}
        for template in await self._templates.in_force():
            stated = template.plan.retention if template.plan is not None else None
            kept = self._default if stated is None else stated
            found[template.name] = max(kept, found.get(template.name, kept))
        return found

    async def _archive(self, template: str, before: datetime) -> int:
        """Archive page by page; runs that have to stay are passed over."""
        moved, after = 0, ""
        while self._hourly.open:
            rows = await self._journal.finished(template, before=before, after=after, limit=_PAGE)
            if not rows:
                break
            after = rows[-1].run_id
            going = [row for row in rows if await self._may_go(row)]
            moved += await self._moved(template, going, before)
            await asyncio.sleep(_BREATH)
        return moved

    async def _may_go(self, row: RunRow) -> bool:
        """Not while somebody looks at it, or the journey that began it goes on."""
        if self._driver.has(row.run_id):
            return False
        parent = await self._journal.find(row.tenant, row.parent) if row.parent else None
        return parent is None or parent.status.ended

    async def _moved(self, template: str, rows: list[RunRow], before: datetime) -> int:
        stored = await self._journal.load([row.run_id for row in rows])
        going: dict[str, tuple[str, ...]] = {}
        lines: list[bytes] = []
        moved = size = 0
        for run_id, run in stored.items():
            line, keys = await self._line(run)
            lines.append(line)
            going[run_id] = keys
            size += len(line)
            if size > _LARGEST:
                moved += await self._closed(template, lines, going, before)
                lines, going, size = [], {}, 0
        return moved + await self._closed(template, lines, going, before)

    async def _closed(
        self,
        template: str,
        lines: list[bytes],
        going: Mapping[str, tuple[str, ...]],
        before: datetime,
    ) -> int:
        """Put an object into the archive, then remove what is in it."""
        if not lines:
            return 0
        at = self._clock.now().strftime("%Y%m%dT%H%M%S%fZ")
        key = f"archive/journeys/{template}/{at}-{next(iter(going))}.jsonl"
        await self._objects.put(key, b"".join(lines))
        gone = await self._records.remove(going, before=before)
        await self._clear()
        return len(gone)

    async def _line(self, run: Stored) -> tuple[bytes, tuple[str, ...]]:
        """A run as one line of JSON, and the keys of its payloads."""
        entries = [_readable(entry) for entry in run.entries]
        keys = tuple(dict.fromkeys(key for entry in entries for key in _spilled(entry)))
        payloads = {key: await self._payload(key) for key in keys}
        line = {"run": asdict(run.row), "entries": entries, "payloads": payloads}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE), keys

    async def _payload(self, key: str) -> Any:
        try:
            return orjson.Fragment(await self._objects.get(key))
        except ObjectNotFound:
            return None

    async def _clear(self) -> None:
        """Delete the payloads of runs that are gone, those of an earlier process too."""
        while keys := await self._records.leftovers(limit=_PAGE):
            for key in keys:
                await self._objects.delete(key)
            await self._records.cleared(keys)


def _readable(entry: bytes) -> Any:
    """An entry as it is; one that is no JSON as a text."""
    try:
        return orjson.loads(entry)
    except orjson.JSONDecodeError:
        return entry.decode("utf-8", errors="replace")


def _spilled(entry: Any) -> list[str]:
    """Where large payloads of an entry are kept."""
    if not isinstance(entry, dict):
        return []
    facts = entry.get("facts", [entry.get("fact")])
    return [fact["spilled"] for fact in facts if isinstance(fact, dict) and fact.get("spilled")]

"""Removes files whose retention has ended, with everything that was made from them.

How long a file may stay is the data steward's to say, and how it is deleted the content steward's;
who still uses it, the journeys'. What stays of it is the data steward's note that it was removed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loguru import logger

from foundations.boot import Duty, Works
from foundations.declarations import Effect, service, soa_api
from foundations.public_works.dispatch import Dispatch
from foundations.public_works.hourly import Hourly
from realms.journey.api import Journeys
from realms.solution.api import FileRetention, RetentionSweep, UsedFile
from smart_city.content_steward.api import ContentSteward, FileInUse
from smart_city.data_steward.api import DataClasses, DataSteward, EndedRetention
from utilities.clock import Clock
from utilities.context import CallContext, UserContext, bound, current
from utilities.errors import ErrorKind, PlatformError
from utilities.observability.trace_id_generator import TraceIDGenerator

QUEUE = "file-retention"
DECIDERS = frozenset({"owner", "data_steward"})
_PAGE = 200


class NotTheirSweep(PlatformError):
    """Others remove files whose retention has ended."""

    kind = ErrorKind.REFUSED


@service
class FileRetentionService(FileRetention, Works):
    """Removes files whose retention has ended: every hour by itself, and when it is asked.

    Several at once do no harm: a file is deleted once.
    """

    duties = frozenset({Duty.ALL, Duty.SCHEDULE})

    def __init__(
        self,
        *,
        files: ContentSteward,
        data: DataSteward,
        journeys: Journeys,
        dispatch: Dispatch,
        clock: Clock,
    ) -> None:
        self._files = files
        self._data = data
        self._journeys = journeys
        self._clock = clock
        self._hourly = Hourly(QUEUE, self._sweep, dispatch=dispatch, clock=clock)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Look every hour inside the block; leaving waits for the file in progress."""
        async with self._hourly.going_on():
            yield

    @soa_api(public=True, effect=Effect.PURE)
    async def preview_retention(self) -> RetentionSweep:
        """What would be removed of the caller's tenant's files now; nothing is."""
        unused, used = [], []
        for seen in await self._due():
            runs = await self._journeys.unfinished_naming(seen.file_id)
            if runs:
                used.append(UsedFile(file_id=seen.file_id, runs=runs))
            else:
                unused.append(seen)
        return RetentionSweep(removed=False, unused=tuple(unused), used=tuple(used))

    @soa_api(public=True, effect=Effect.KEYED)
    async def sweep_retention(self) -> RetentionSweep:
        """Remove the caller's tenant's files whose retention has ended, but those in use.

        At most two hundred; asked again, it goes on.

        Raises:
            NotTheirSweep: the caller is no owner and no data steward.
        """
        if not DECIDERS & set(current().user.roles):
            raise NotTheirSweep(
                "files whose retention has ended are removed by owners and data stewards",
                hint=f"ask for one of the roles {', '.join(sorted(DECIDERS))}",
            )
        unused, used = [], []
        for seen in await self._due():
            if await self._removed(seen):
                unused.append(seen)
            else:
                runs = await self._journeys.unfinished_naming(seen.file_id)
                used.append(UsedFile(file_id=seen.file_id, runs=runs))
        return RetentionSweep(removed=True, unused=tuple(unused), used=tuple(used))

    async def sweep_all(self) -> int:
        """Remove the files of every tenant whose retention has ended; how many there were."""
        removed, last = 0, None
        async with self._hourly.one_at_a_time:
            while page := await self._data.ended_retentions(limit=_PAGE, after=last):
                for ended in page:
                    if not self._hourly.open:
                        return removed
                    removed += await self._swept(ended)
                last = page[-1]
        return removed

    async def _sweep(self) -> None:
        try:
            if removed := await self.sweep_all():
                logger.info("{:,} files were removed: their retention has ended", removed)
        except PlatformError as error:
            logger.error("files whose retention has ended could not be removed: {}", error.detail)

    async def _swept(self, ended: EndedRetention) -> bool:
        """Remove a file in the name of its tenant; one that cannot go now waits for the next."""
        user = UserContext(tenant=ended.tenant, principal=type(self).__name__)
        with bound(CallContext(TraceIDGenerator.generate(), user)):
            try:
                return await self._removed(ended.seen)
            except PlatformError as error:
                logger.warning("{} was not removed: {}", ended.seen.file_id, error.detail)
                return False

    async def _due(self) -> tuple[DataClasses, ...]:
        return (await self._data.list_retention(limit=_PAGE, due=True)).files

    async def _removed(self, seen: DataClasses) -> bool:
        """Remove a file, unless runs use it or another is just deleting it."""

        async def users() -> tuple[str, ...]:
            return await self._journeys.unfinished_naming(seen.file_id)

        try:
            gone = await self._files.delete_unused(seen.file_id, users)
        except FileInUse:
            return False
        if not gone.existed:  # deleted by hand, while it was looked at
            await self._data.forget_file(seen.file_id)
            return True
        await self._data.record_removal(seen)
        logger.bind(classes=seen.classes, policy=seen.policy_version).info(
            "{} was removed: its retention ended on {:%Y-%m-%d}", seen.file_id, seen.keep_until
        )
        return True

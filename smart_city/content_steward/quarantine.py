"""Harmful files, kept apart until a person releases or destroys them, with a reason that stays."""

import asyncio
from typing import Annotated
from weakref import WeakValueDictionary

from loguru import logger
from pydantic import Field, StringConstraints

from foundations.declarations import Effect, soa_api
from smart_city.content_steward.api import (
    FilePage,
    FileRecord,
    FileStatus,
    NotInQuarantine,
    NotTheirDecision,
    Quarantine,
    QuarantineDecision,
    QuarantineDecisions,
    Track,
    Verdict,
)
from smart_city.content_steward.intake import Intake
from smart_city.content_steward.pages import MOST_LISTED, page_of
from smart_city.content_steward.reception import Reception
from smart_city.content_steward.records.files import FileRecords
from utilities.clock import Clock
from utilities.context import current

DECIDERS = frozenset({"owner", "data_steward"})
"""Roles that see the quarantine and decide about what is in it."""

Why = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=500),
    Field(description="kept with the decision"),
]


class QuarantineDesk(Quarantine):
    """The part of the content steward that keeps harmful files apart until a person decides."""

    _records: FileRecords
    _reception: Reception
    _intake: Intake
    _clock: Clock
    _deciding: WeakValueDictionary[str, asyncio.Lock]

    @soa_api(public=True)
    async def list_quarantine(
        self,
        limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 50,
        cursor: str = "",
        track: Track = Track.CLIENT,
    ) -> FilePage:
        """The files of the caller's tenant in quarantine, newest first.

        Raises:
            NotTheirDecision: the caller has no role that may.
            BadPage: the cursor is none that was given to this tenant.
        """
        _require_decider()
        status = FileStatus.QUARANTINED
        return await page_of(self._records, track, limit=limit, cursor=cursor, status=status)

    @soa_api(public=True)
    async def get_quarantine_decisions(
        self, file_id: str, track: Track = Track.CLIENT
    ) -> QuarantineDecisions:
        """What was decided about a file that is, or was, in quarantine.

        Raises:
            NotTheirDecision: the caller has no role that may.
            FileUnknown: there is no such file.
        """
        _require_decider()
        record = await self._reception.find(track, file_id)
        found = await self._records.decisions(record.tenant, track, record.file_id)
        return QuarantineDecisions(decisions=found)

    @soa_api(public=True, effect=Effect.KEYED)
    async def release_file(
        self, file_id: str, reason: Why, track: Track = Track.CLIENT
    ) -> FileRecord:
        """Let a file out of quarantine: it is stored as if the scanner had found nothing.

        Its kind and the data policy are judged all the same.

        Raises:
            NotTheirDecision, FileUnknown: the caller may not, or there is no such file.
            NotInQuarantine: it is not, or no more, in quarantine.
            UnsupportedFile, PolicyRefused: it is unfit even so, and stays where it is.
        """
        _require_decider()
        async with self._deciding.setdefault(file_id, asyncio.Lock()):
            record = await self._quarantined(track, file_id)
            decision = self._decision(record, Verdict.RELEASE, reason)
            async with self._intake.apart(track, record) as path:
                judged = await self._intake.judge_released(track, record, path)
                stored = await self._reception.store(track, judged, path)
            told = f"released from quarantine by {decision.decided_by}: {reason}"
            stored = stored.model_copy(update={"warnings": (*stored.warnings, told)})
            try:
                released = await self._records.decide(track, stored, decision)
            except NotInQuarantine:
                await self._undo(track, stored)
                raise
            _tell(decision)
            await self._reception.announce_or_later(track, released)
            return released

    @soa_api(public=True, effect=Effect.KEYED)
    async def destroy_file(
        self, file_id: str, reason: Why, track: Track = Track.CLIENT
    ) -> FileRecord:
        """Remove the bytes of a file in quarantine; its record and the decision stay.

        Raises:
            NotTheirDecision, FileUnknown: the caller may not, or there is no such file.
            NotInQuarantine: it is not, or no more, in quarantine.
        """
        _require_decider()
        async with self._deciding.setdefault(file_id, asyncio.Lock()):
            record = await self._quarantined(track, file_id)
            decision = self._decision(record, Verdict.DESTROY, reason)
            gone = record.model_copy(update={"status": FileStatus.DESTROYED})
            destroyed = await self._records.decide(track, gone, decision)
            _tell(decision)
            await self._reception.clear_destroyed(track, destroyed)
            return destroyed

    async def _quarantined(self, track: Track, file_id: str) -> FileRecord:
        record = await self._reception.find(track, file_id)
        if record.status is not FileStatus.QUARANTINED:
            raise NotInQuarantine(
                f"the file {file_id} is {record.status.value}",
                hint="the quarantine's list shows what is in it",
            )
        return record

    async def _undo(self, track: Track, record: FileRecord) -> None:
        """Remove what was stored of a file, unless another process released it meanwhile."""
        found = await self._reception.find(track, record.file_id)
        if found.status is not FileStatus.STORED:
            await self._intake.discard(track, record)

    def _decision(self, record: FileRecord, verdict: Verdict, reason: str) -> QuarantineDecision:
        context = current()
        return QuarantineDecision(
            file_id=record.file_id,
            verdict=verdict,
            decided_by=context.user.principal,
            reason=reason,
            decided_at=self._clock.now(),
            trace_id=context.trace_id,
        )


def _require_decider() -> None:
    if not DECIDERS & set(current().user.roles):
        raise NotTheirDecision(
            "the quarantine is seen and decided about by owners and data stewards",
            hint=f"ask for one of the roles {', '.join(sorted(DECIDERS))}",
        )


def _tell(decision: QuarantineDecision) -> None:
    logger.bind(by=decision.decided_by, reason=decision.reason).warning(
        "quarantine: {} {}", decision.verdict.value, decision.file_id
    )

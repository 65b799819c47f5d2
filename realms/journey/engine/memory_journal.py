"""The journal in memory: for tests and trials, under the same suite as the others."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.journal import (
    MOVING,
    AliasTaken,
    DueRun,
    Entry,
    Journal,
    Memo,
    RunFilter,
    RunRow,
    StaleWriter,
    Stored,
    TextLost,
    VersionTaken,
    WritesRefused,
)
from utilities.errors import PlatformError


class MemoryJournal(Journal):
    """Keeps everything in dictionaries; a commit is a few assignments without a wait between."""

    def __init__(self) -> None:
        self._rows: dict[str, RunRow] = {}
        self._entries: dict[str, list[bytes]] = {}
        self._texts: dict[str, str] = {}
        self._versions: dict[tuple[str, str], str] = {}
        self._names: set[str] = set()
        self._memos: dict[tuple[str, str], Memo] = {}
        self._leases: dict[int, datetime | None] = {}
        self._holders = 0
        self._slots: dict[str, datetime] = {}
        self._turns: dict[str, tuple[int, datetime]] = {}

    @property
    def works_apart(self) -> bool:
        return False

    async def now(self, here: datetime) -> datetime:
        return here

    async def take_hold(self, *, at: datetime, until: datetime | None) -> int:
        self._holders += 1
        self._leases[self._holders] = until
        return self._holders

    async def renew(self, holder: int, *, until: datetime) -> bool:
        if holder not in self._leases:
            return False
        self._leases[holder] = until
        return True

    async def dismiss(self, *, at: datetime, survivor: int) -> int:
        if survivor not in self._leases:
            return 0
        over = {
            holder
            for holder, until in self._leases.items()
            if holder != survivor and (until is None or until <= at)
        }
        for holder in over:
            del self._leases[holder]
        return self._free(set(self._leases))

    async def let_go(self, holder: int) -> None:
        self._leases.pop(holder, None)
        self._free(set(self._leases))

    async def claim(
        self, run_ids: Sequence[str], *, holder: int, at: datetime
    ) -> Mapping[str, Stored]:
        if holder not in self._leases:
            return {}
        known = [self._rows[run_id] for run_id in run_ids if run_id in self._rows]
        ready = [row for row in known if row.holder == 0 and _ready(row, at)]
        for row in ready:
            self._rows[row.run_id] = replace(row, holder=holder)
        return await self.load([row.run_id for row in ready])

    async def release(
        self,
        run_ids: Sequence[str],
        *,
        holder: int,
        wake_at: datetime | None = None,
        reason: Reason | None = None,
    ) -> None:
        for run_id in run_ids:
            row = self._rows.get(run_id)
            if row is not None and row.holder == holder:
                self._rows[run_id] = replace(
                    row, holder=0, wake_at=wake_at or row.wake_at, reason=reason or row.reason
                )

    async def held(self, holder: int) -> list[str]:
        rows = self._rows.values()
        return [r.run_id for r in rows if 0 < r.holder == holder and not r.status.ended]

    async def take_turn(self, name: str, *, holder: int, at: datetime, until: datetime) -> bool:
        whose, over = self._turns.get(name, (0, at))
        if holder not in self._leases:
            return False
        if whose != holder and whose in self._leases and over > at:
            return False
        self._turns[name] = (holder, until)
        return True

    async def end_turn(self, name: str, *, holder: int) -> None:
        if self._turns.get(name, (0, None))[0] == holder:
            del self._turns[name]

    async def next_slot(self, name: str, *, earliest: datetime, spacing: timedelta) -> datetime:
        last = self._slots.get(name)
        slot = earliest if last is None else max(earliest, last + spacing)
        self._slots[name] = slot
        return slot

    def write(
        self, entries: Sequence[Entry], *, holder: int
    ) -> "asyncio.Future[Sequence[PlatformError | None]]":
        done: asyncio.Future[Sequence[PlatformError | None]] = (
            asyncio.get_running_loop().create_future()
        )
        refused: set[str] = set()
        outcomes: list[PlatformError | None] = []
        for entry in entries:
            if entry.run_id in refused:
                outcomes.append(_after_a_refusal(entry))
                continue
            outcome = self._write(entry, holder)
            if outcome is not None and entry.seq:
                refused.add(entry.run_id)
            outcomes.append(outcome)
        done.set_result(outcomes)
        return done

    async def condemn(self, run_id: str, *, at: datetime, holder: int) -> None:
        if holder not in self._leases or self._rows[run_id].holder not in {0, holder}:
            raise StaleWriter(f"{run_id} is not held by {holder}")
        self._rows[run_id] = replace(
            self._rows[run_id],
            status=RunStatus.FAILED,
            reason=Reason.CORRUPT_STATE,
            wake_at=None,
            updated_at=at,
            holder=0,
        )

    async def pin_text(self, text_hash: str, text: str, *, name: str, version: str) -> None:
        if version and self._versions.setdefault((name, version), text_hash) != text_hash:
            raise VersionTaken(f"{name} {version} was used with another text", hint="raise version")
        self._texts[text_hash] = text
        self._names.add(name)

    async def pinned_text(self, text_hash: str) -> str:
        if text_hash not in self._texts:
            raise TextLost(f"no text with hash {text_hash} is kept")
        return self._texts[text_hash]

    async def load(self, run_ids: Sequence[str]) -> Mapping[str, Stored]:
        return {
            run_id: Stored(self._rows[run_id], tuple(self._entries[run_id]))
            for run_id in run_ids
            if run_id in self._rows
        }

    async def at_rest(self, seen: Mapping[str, datetime | None]) -> Mapping[str, Stored]:
        return {
            run_id: stored
            for run_id, stored in (await self.load(list(seen))).items()
            if stored.row.status not in MOVING and stored.row.updated_at != seen[run_id]
        }

    async def find(self, tenant: str, id_or_alias: str) -> RunRow | None:
        return next(
            (
                row
                for row in self._rows.values()
                if row.tenant == tenant and id_or_alias in {row.run_id, row.alias} - {""}
            ),
            None,
        )

    async def page(self, wanted: RunFilter, *, before: str = "", limit: int = 50) -> list[RunRow]:
        found = [
            row
            for run_id, row in self._rows.items()
            if _fits(row, wanted) and (not before or run_id < before)
        ]
        return sorted(found, key=lambda row: row.run_id, reverse=True)[:limit]

    async def due(
        self, now: datetime, *, after: DueRun | None = None, limit: int = 500
    ) -> list[DueRun]:
        found = [
            DueRun(row.run_id, row.wake_at, row.status)
            for row in self._waking()
            if row.wake_at is not None and row.wake_at <= now
        ]
        if after is not None:
            found = [r for r in found if _place(r) > _place(after)]
        return found[:limit]

    async def ready(self, now: datetime, *, most: int) -> int:
        return len(await self.due(now, limit=most))

    async def next_wake(self, *, after: datetime) -> datetime | None:
        wakes = (row.wake_at for row in self._waking())
        return next((wake for wake in wakes if wake is not None and wake > after), None)

    async def lane(self, tenant: str, lane: str) -> list[RunRow]:
        found = [r for r in self._rows.values() if lane and (r.tenant, r.lane) == (tenant, lane)]
        return sorted((r for r in found if not r.status.ended), key=lambda row: row.run_id)

    async def unfinished_naming(self, tenant: str, word: str, *, limit: int) -> list[RunRow]:
        sought = word.encode()
        found = [
            row
            for row in self._rows.values()
            if row.tenant == tenant
            and not row.status.ended
            and any(sought in entry for entry in self._entries[row.run_id])
        ]
        return sorted(found, key=lambda row: row.run_id)[:limit]

    async def queued_lanes(self) -> list[tuple[str, str]]:
        queued = [r for r in self._rows.values() if r.status is RunStatus.QUEUED and r.lane]
        return sorted({(row.tenant, row.lane) for row in queued})

    async def memo(self, tenant: str, key: str, *, since: datetime | None) -> bytes | None:
        memo = self._memos.get((tenant, key))
        return None if memo is None or (since and memo.at < since) else memo.output

    async def finished(
        self, template: str, *, before: datetime, after: str = "", limit: int = 500
    ) -> list[RunRow]:
        found = [
            row
            for row in self._rows.values()
            if row.template == template
            and row.run_id > after
            and row.status.ended
            and row.updated_at < before
            and (row.status is not RunStatus.FAILED or row.settled)
        ]
        return sorted(found, key=lambda row: row.run_id)[:limit]

    async def templates(self) -> list[str]:
        return sorted(self._names)

    async def remove(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            self._rows.pop(run_id, None)
            self._entries.pop(run_id, None)

    def _write(self, entry: Entry, holder: int) -> PlatformError | None:
        if (refusal := self._refusal(entry, holder)) is not None:
            return refusal
        try:
            for work in entry.along:
                work(None)
        except Exception as error:  # noqa: BLE001 - a service's own code, whatever it raises
            return WritesRefused.by(error)
        self._entries.setdefault(entry.run_id, []).append(entry.data)
        if entry.row is not None:
            self._rows[entry.run_id] = entry.row
        for memo in entry.memos:
            self._memos[memo.tenant, memo.key] = memo
        for rung in entry.rings:
            self._ring(rung, entry)
        return None

    def _refusal(self, entry: Entry, holder: int) -> PlatformError | None:
        if holder not in self._leases:
            return StaleWriter(f"the lease of holder {holder} has ended")
        known = self._rows.get(entry.run_id)
        if len(self._entries.get(entry.run_id, ())) != entry.seq:
            return StaleWriter(f"{entry.run_id} is not at {entry.seq}")
        if known is not None and known.holder not in {0, holder}:
            return StaleWriter(f"{entry.run_id} is held by {known.holder}")
        if entry.seq == 0:
            assert entry.row is not None
            if entry.row.alias and self._by_alias(entry.row.tenant, entry.row.alias):
                return AliasTaken(f'a run is called "{entry.row.alias}" already')
        return None

    def _ring(self, run_id: str, entry: Entry) -> None:
        known = self._rows.get(run_id)
        if known is not None and known.holder == 0 and known.status is RunStatus.WAITING:
            assert entry.row is not None
            self._rows[run_id] = replace(known, wake_at=entry.row.updated_at)

    def _by_alias(self, tenant: str, alias: str) -> bool:
        return any((r.tenant, r.alias) == (tenant, alias) for r in self._rows.values())

    def _free(self, living: set[int]) -> int:
        dead = [row for row in self._rows.values() if row.holder and row.holder not in living]
        for row in dead:
            self._rows[row.run_id] = replace(row, holder=0)
        return len(dead)

    def _waking(self) -> list[RunRow]:
        free = [r for r in self._rows.values() if r.holder == 0 and r.wake_at is not None]
        return sorted(free, key=_place)


def _ready(row: RunRow, at: datetime) -> bool:
    if row.status.ended or row.wake_at is None:
        return False
    return row.status in MOVING or row.wake_at <= at


def _place(row: RunRow | DueRun) -> tuple[Any, str]:
    return row.wake_at, row.run_id


def _after_a_refusal(entry: Entry) -> StaleWriter:
    return StaleWriter(f"{entry.run_id}: an entry before {entry.seq} was refused")


def _fits(row: RunRow, wanted: RunFilter) -> bool:
    return (
        row.tenant == wanted.tenant
        and (wanted.status is None or row.status is wanted.status)
        and (wanted.reason is None or row.reason is wanted.reason)
        and (not wanted.template or row.template == wanted.template)
        and (not wanted.dead or (row.status is RunStatus.FAILED and not row.settled))
    )

"""The journal in memory: for tests and trials, under the same suite as the others."""

from dataclasses import replace
from datetime import datetime

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.journal import (
    AliasTaken,
    Journal,
    RunRow,
    StaleWriter,
    Stored,
    TextLost,
    VersionTaken,
)


class MemoryJournal(Journal):
    """Keeps everything in dictionaries; a commit is a few assignments without a wait between."""

    def __init__(self) -> None:
        self._rows: dict[str, RunRow] = {}
        self._facts: dict[str, list[bytes]] = {}
        self._texts: dict[str, str] = {}
        self._versions: dict[tuple[str, str], str] = {}
        self._epoch = 0

    async def take_epoch(self) -> int:
        self._epoch += 1
        return self._epoch

    async def pin_text(self, text_hash: str, text: str, *, name: str, version: str) -> None:
        if version and self._versions.setdefault((name, version), text_hash) != text_hash:
            raise VersionTaken(f"{name} {version} was used with another text", hint="raise version")
        self._texts[text_hash] = text

    async def pinned_text(self, text_hash: str) -> str:
        if text_hash not in self._texts:
            raise TextLost(f"no text with hash {text_hash} is kept")
        return self._texts[text_hash]

    async def create(self, row: RunRow, facts: tuple[bytes, ...], *, epoch: int) -> None:
        self._check_epoch(epoch)
        if row.alias and await self.find(row.tenant, row.alias):
            raise AliasTaken(f'a run is called "{row.alias}" already')
        if row.run_id in self._rows:
            raise StaleWriter(f"{row.run_id} exists already")
        self._rows[row.run_id] = row
        self._facts[row.run_id] = list(facts)

    async def append(
        self, row: RunRow, facts: tuple[bytes, ...], *, expected: int, epoch: int
    ) -> None:
        self._check_epoch(epoch)
        stored = self._rows.get(row.run_id)
        if stored is None or stored.next_seq != expected:
            raise StaleWriter(f"{row.run_id} is not at {expected} any more")
        self._rows[row.run_id] = row
        self._facts[row.run_id] += facts

    async def condemn(self, run_id: str, *, at: datetime, epoch: int) -> None:
        self._check_epoch(epoch)
        self._rows[run_id] = replace(
            self._rows[run_id],
            status=RunStatus.FAILED,
            reason=Reason.CORRUPT_STATE,
            wake_at=None,
            updated_at=at,
        )

    async def load(self, run_id: str) -> Stored | None:
        if run_id not in self._rows:
            return None
        return Stored(self._rows[run_id], tuple(self._facts[run_id]))

    async def find(self, tenant: str, id_or_alias: str) -> RunRow | None:
        return next(
            (
                row
                for row in self._rows.values()
                if row.tenant == tenant and id_or_alias in {row.run_id, row.alias} - {""}
            ),
            None,
        )

    async def page(
        self,
        tenant: str,
        *,
        status: RunStatus | None = None,
        template: str = "",
        before: str = "",
        limit: int = 50,
    ) -> list[RunRow]:
        found = [
            row
            for run_id, row in self._rows.items()
            if row.tenant == tenant
            and (status is None or row.status is status)
            and (not template or row.template == template)
            and (not before or run_id < before)
        ]
        return sorted(found, key=lambda row: row.run_id, reverse=True)[:limit]

    async def due(self, *, after: str = "", limit: int = 500) -> list[RunRow]:
        found = [r for i, r in self._rows.items() if r.wake_at is not None and i > after]
        return sorted(found, key=lambda row: row.run_id)[:limit]

    def _check_epoch(self, epoch: int) -> None:
        if epoch != self._epoch:
            raise StaleWriter(f"epoch {epoch} is over; {self._epoch} writes now")

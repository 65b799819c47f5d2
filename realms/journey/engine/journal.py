"""The journal's port: facts written once or not at all, and one narrow row for each run."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.state import RunState
from utilities.errors import ErrorKind, PlatformError


@dataclass(frozen=True, slots=True)
class RunRow:
    """What lists and the engine need of a run without reading its facts."""

    run_id: str
    tenant: str
    alias: str
    template: str
    template_hash: str
    status: RunStatus
    reason: Reason
    wake_at: datetime | None
    created_at: datetime
    updated_at: datetime
    next_seq: int
    """How many facts there are, and so the state that the next write expects."""

    @classmethod
    def of(cls, run: RunState) -> "RunRow":
        return cls(
            run_id=run.run_id,
            tenant=run.start.tenant,
            alias=run.start.alias,
            template=run.start.template,
            template_hash=run.start.template_hash,
            status=run.status,
            reason=run.reason,
            wake_at=run.wake_at,
            created_at=run.start.at,
            updated_at=run.updated_at or run.start.at,
            next_seq=run.next_seq,
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """A run as it is kept: its row, and its facts as they were encoded."""

    row: RunRow
    facts: tuple[bytes, ...]


class StaleWriter(PlatformError):
    """Somebody else has written in the meantime; nothing was changed."""

    kind = ErrorKind.CONFLICT


class AliasTaken(PlatformError):
    """Another run has this alias."""

    kind = ErrorKind.CONFLICT


class VersionTaken(PlatformError):
    """This version of the template was used with another text."""

    kind = ErrorKind.CONFLICT


class Journal(Protocol):
    """Keeps runs. Every write names the writer's epoch and the state it expects."""

    async def take_epoch(self) -> int:
        """A new epoch; from now on writers of earlier ones change nothing."""
        ...

    async def pin_text(self, text_hash: str, text: str, *, name: str, version: str) -> None:
        """Keep the text that runs begin with; again with the same hash it changes nothing.

        Raises:
            VersionTaken: a stated version was kept with another text before.
        """
        ...

    async def pinned_text(self, text_hash: str) -> str:
        """The text with this hash.

        Raises:
            TextLost: it was never kept.
        """
        ...

    async def create(self, row: RunRow, facts: tuple[bytes, ...], *, epoch: int) -> None:
        """Accept a run: its row and first facts in one commit.

        Raises:
            AliasTaken: the tenant has a run with this alias.
            StaleWriter: the epoch is over.
        """
        ...

    async def append(
        self, row: RunRow, facts: tuple[bytes, ...], *, expected: int, epoch: int
    ) -> None:
        """Add facts, the first at `expected`, and change the row, in one commit.

        Raises:
            StaleWriter: the run is not at `expected` any more, or the epoch is over.
        """
        ...

    async def condemn(self, run_id: str, *, at: datetime, epoch: int) -> None:
        """Mark a run whose facts cannot be read as failed; the facts stay as they are."""
        ...

    async def load(self, run_id: str) -> Stored | None: ...

    async def find(self, tenant: str, id_or_alias: str) -> RunRow | None:
        """The tenant's run with this id or alias."""
        ...

    async def page(
        self,
        tenant: str,
        *,
        status: RunStatus | None = None,
        template: str = "",
        before: str = "",
        limit: int = 50,
    ) -> list[RunRow]:
        """The tenant's runs, newest first, those older than `before`."""
        ...

    async def due(self, *, after: str = "", limit: int = 500) -> list[RunRow]:
        """Runs of all tenants that go on by themselves, now or at `wake_at`, by id from `after`."""
        ...


class TextLost(PlatformError):
    """The text that a run began with is not in the store."""

    kind = ErrorKind.INTERNAL

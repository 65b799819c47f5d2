"""The journal's port: entries written once or not at all, and one narrow row for each run."""

from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.state import RunState
from utilities.errors import ErrorKind, PlatformError

MOVING = frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.COMPENSATING})
"""A free run in one of these waits for nothing but a process."""


@dataclass(slots=True)
class RunRow:
    """What lists and the engine need of a run without reading its facts. It is never changed.

    It is written when something in it changes, not at every milestone.
    """

    run_id: str
    tenant: str
    alias: str
    template: str
    template_hash: str
    status: RunStatus
    reason: Reason
    wake_at: datetime | None
    """When the engine must look at it; None when nothing but a person or a signal moves it."""
    created_at: datetime
    updated_at: datetime
    holder: int = 0
    """Who drives it at the moment; zero when nobody does."""
    lane: str = ""
    parent: str = ""
    settled: bool = False
    """A failed run that somebody took from the dead letters."""

    @classmethod
    def of(cls, run: RunState, *, holder: int) -> "RunRow":
        start = run.start
        return cls(  # without keywords, which would cost more than the row
            run.run_id,
            start.tenant,
            start.alias,
            start.template,
            run.template_hash,
            run.status,
            run.reason,
            run.wake_at,
            start.at,
            run.updated_at or start.at,
            holder,
            start.lane,
            start.parent,
            run.settled is not None,
        )


@dataclass(frozen=True, slots=True)
class Memo:
    """A result that later milestones may take instead of calling: kept with its checkpoint."""

    tenant: str
    key: str
    output: bytes
    at: datetime


class Entry(NamedTuple):
    """What one run writes in one commit: facts that came about together, at their own place."""

    run_id: str
    seq: int
    """How many entries the run has before this one."""
    data: bytes
    row: RunRow | None = None
    """The row from now on; None leaves it as it is."""
    rings: tuple[str, ...] = ()
    """Runs that wait for this one, and are to be looked at."""
    memos: tuple[Memo, ...] = ()
    along: tuple[Callable[[Any], None], ...] = ()
    """Writes of transactional services, committed with the entry."""


class DueRun(NamedTuple):
    """A free run that is to be looked at: what of it tells when, and whether it is ready."""

    run_id: str
    wake_at: datetime
    status: RunStatus


@dataclass(frozen=True, slots=True)
class Stored:
    """A run as it is kept: its row, and its entries as they were encoded."""

    row: RunRow
    entries: tuple[bytes, ...]


class StaleWriter(PlatformError):
    """Somebody else has written in the meantime; nothing was changed."""

    kind = ErrorKind.CONFLICT


class AliasTaken(PlatformError):
    """Another run has this alias."""

    kind = ErrorKind.CONFLICT


class WritesRefused(PlatformError):
    """What a transactional service writes with its checkpoint could not be written; nothing was."""

    kind = ErrorKind.INTERNAL

    @classmethod
    def by(cls, error: BaseException) -> "WritesRefused":
        """The refusal that tells of an error its kind and not its words, which may hold data."""
        return cls(
            f"the writes of a service raised {type(error).__name__}",
            hint="the log has the rest",
        )


class VersionTaken(PlatformError):
    """This version of the template was used with another text."""

    kind = ErrorKind.CONFLICT


class TextLost(PlatformError):
    """The text that a run began with is not in the store."""

    kind = ErrorKind.INTERNAL


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs of a tenant are meant; what is left out does not narrow."""

    tenant: str
    status: RunStatus | None = None
    reason: Reason | None = None
    template: str = ""
    dead: bool = False
    """Only failed runs that nobody has settled."""


class Journal(Protocol):
    """Keeps runs. Every write names its holder and the state it expects."""

    @property
    def works_apart(self) -> bool:
        """Whether writes are made by another process, while this one can do other things."""
        ...

    # holders: those who drive runs

    async def now(self, here: datetime) -> datetime:
        """The time by which leases are judged: that of the store where machines share one.

        `here` is what the clock of this machine says.
        """
        ...

    async def take_hold(self, *, at: datetime, until: datetime | None) -> int:
        """A new holder, larger than all before; its lease ends at `until`, or never by time."""
        ...

    async def renew(self, holder: int, *, until: datetime) -> bool:
        """Prolong a lease; False when it was taken away."""
        ...

    async def dismiss(self, *, at: datetime, survivor: int) -> int:
        """End every lease that is over, or without an end, but the survivor's; free their runs.

        From then on nothing those holders write changes anything. Answers how many runs were freed.
        A survivor whose own lease has ended dismisses nobody.
        """
        ...

    async def let_go(self, holder: int) -> None:
        """A holder leaves in good order: its lease ends, and its runs are free."""
        ...

    async def claim(
        self, run_ids: Sequence[str], *, holder: int, at: datetime
    ) -> Mapping[str, Stored]:
        """Take those of the runs that are free and ready, all at once: they are the holder's then.

        A run that waits for a time is ready when `at` is not before it. What another claims at this
        moment is left to it, and a holder whose lease has ended is given nothing.
        """
        ...

    async def release(
        self,
        run_ids: Sequence[str],
        *,
        holder: int,
        wake_at: datetime | None = None,
        reason: Reason | None = None,
    ) -> None:
        """Free runs that the holder has claimed; they are looked at again when they were to be.

        With `wake_at` they are looked at then, and with `reason` their rows say why.
        """
        ...

    async def held(self, holder: int) -> list[str]:
        """Runs that have not ended and are the holder's."""
        ...

    async def take_turn(self, name: str, *, holder: int, at: datetime, until: datetime) -> bool:
        """Whether it is the holder's turn at something that one process does at a time.

        It is when it was before, when nobody has it, and when whoever has it is over time at `at`,
        or dead. It lasts until `until`.
        """
        ...

    async def end_turn(self, name: str, *, holder: int) -> None:
        """Let others have their turn."""
        ...

    async def next_slot(self, name: str, *, earliest: datetime, spacing: timedelta) -> datetime:
        """A time that nobody else is given: at the earliest then, and so long after the last."""
        ...

    # writing

    def write(
        self, entries: Sequence[Entry], *, holder: int
    ) -> "Future[Sequence[PlatformError | None]]":
        """Write entries in one durable commit, each alone: what became of each, in order.

        An entry with `seq` zero creates its run. One is refused with `StaleWriter` when its place
        is taken, its run is another holder's, or the holder's lease has ended, with `AliasTaken`
        when the tenant has a run of that alias, and with `WritesRefused` when what goes along with
        it raises. What follows a refused entry of the same run is refused too; the others are
        written all the same. Where the store does it at once, the future is done already. When
        nothing could be written (a full disk), the future fails; an entry whose outcome is such an
        error was not written either, and is to be tried again.
        """
        ...

    async def condemn(self, run_id: str, *, at: datetime, holder: int) -> None:
        """Mark a run whose facts cannot be read as failed; the facts stay as they are.

        Raises:
            StaleWriter: the run is another holder's, or the holder's lease has ended.
        """
        ...

    # texts of templates

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

    # reading

    async def load(self, run_ids: Sequence[str]) -> Mapping[str, Stored]:
        """Those of the runs that exist."""
        ...

    async def at_rest(self, seen: Mapping[str, datetime | None]) -> Mapping[str, Stored]:
        """Those of the runs that do not move and have been written since they were seen.

        `seen` says of each run when its row was written that is known already; None is no time.
        """
        ...

    async def find(self, tenant: str, id_or_alias: str) -> RunRow | None:
        """The tenant's run with this id or alias."""
        ...

    async def page(self, wanted: RunFilter, *, before: str = "", limit: int = 50) -> list[RunRow]:
        """Runs, newest first, those older than `before`."""
        ...

    async def due(
        self, now: datetime, *, after: DueRun | None = None, limit: int = 500
    ) -> list[DueRun]:
        """Free runs of all tenants that are to be looked at by now, the most overdue first.

        `after` is the last of the page before.
        """
        ...

    async def ready(self, now: datetime, *, most: int) -> int:
        """How many free runs are to be looked at by now; they are not counted beyond `most`."""
        ...

    async def next_wake(self, *, after: datetime) -> datetime | None:
        """When the next free run is to be looked at, later than `after`."""
        ...

    async def lane(self, tenant: str, lane: str) -> list[RunRow]:
        """The runs of a lane that have not ended, the oldest first."""
        ...

    async def unfinished_naming(self, tenant: str, word: str, *, limit: int) -> list[RunRow]:
        """Runs of a tenant that have not ended, and have `word` in their entries: an id of ASCII.

        What was too large for an entry is not looked at.
        """
        ...

    async def queued_lanes(self) -> list[tuple[str, str]]:
        """Tenant and name of each lane in which a run is queued."""
        ...

    async def memo(self, tenant: str, key: str, *, since: datetime | None) -> bytes | None:
        """What was remembered under `key`, not before `since`."""
        ...

    async def finished(
        self, template: str, *, before: datetime, after: str = "", limit: int = 500
    ) -> list[RunRow]:
        """Runs of a template that ended before a time, by id, from after the one with id `after`.

        A dead letter that nobody has settled is none of them.
        """
        ...

    async def templates(self) -> list[str]:
        """The names of templates that runs are kept of."""
        ...

    async def remove(self, run_ids: Sequence[str]) -> None:
        """Forget finished runs, their entries with them."""
        ...

"""A run in hand: what a process knows of a run while it drives it."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from realms.journey.api import Reason, RunStatus
from realms.journey.engine.journal import RunRow
from realms.journey.engine.state import RunState, Stage
from realms.journey.plans.plan import Plan
from utilities.context import UserContext

# Members of enums that every milestone asks for: as names of this module they cost a quarter.
_RUNNING = RunStatus.RUNNING
_COMPENSATING = Stage.COMPENSATING
_QUEUED = Stage.QUEUED


@dataclass(slots=True, eq=False)
class Hand:
    """One run in memory; there is no other of the same run in the process."""

    plan: Plan
    run: RunState
    row: RunRow
    """The row as it was last given to the journal."""
    user: UserContext
    tasks: dict[str, "asyncio.Task[Any]"] = field(default_factory=dict)
    """Who makes which attempt."""
    users: int = 0
    """How many hold it at the moment; it stays in memory while anyone does."""
    durable: int = 0
    """How many entries of its journal are durable."""
    rung: datetime | None = None
    """The time for which its next wake was ordered."""
    lost: bool = False
    """Somebody else drives the run now; nothing more is done with it here."""

    @property
    def settled(self) -> bool:
        """Whether it has ended, or waits for something that no timer brings."""
        return settled(self.run)

    @property
    def moved(self) -> bool:
        """Whether the row has to be written again."""
        run, row = self.run, self.row
        if run.performing and row.status is _RUNNING and run.ended is None:
            return run.paused or run.held or run.stage is _COMPENSATING
        return True


def settled(run: RunState) -> bool:
    """Whether it has ended, or waits for something that no timer brings."""
    if run.ended is not None or run.paused or run.held:
        return True
    if run.performing or run.stage is _QUEUED:
        return False
    waits = [node.reason for node in run.active.values() if node.status is RunStatus.WAITING]
    return bool(waits) and _FOR_OTHERS.issuperset(waits)


_FOR_OTHERS = frozenset({Reason.PERSON, Reason.SIGNAL, Reason.AMBIGUOUS})


def user_of(run: RunState) -> UserContext:
    """On whose behalf its calls are made."""
    start = run.start
    return _user(start.tenant, start.principal, start.roles)


@lru_cache(maxsize=1_024)
def _user(tenant: str, principal: str, roles: tuple[str, ...]) -> UserContext:
    """Made and validated once for all runs of a user."""
    return UserContext(tenant=tenant, principal=principal, roles=roles)

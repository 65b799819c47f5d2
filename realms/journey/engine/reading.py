"""Reads a run from its journal, with the plan of the text it began with."""

import asyncio

from realms.journey.engine.codec import CorruptFact, decode
from realms.journey.engine.folding import fold
from realms.journey.engine.hands import Hand, user_of
from realms.journey.engine.journal import Journal, Stored
from realms.journey.engine.payloads import Payloads
from realms.journey.engine.ports import TemplateSource, Unreadable
from realms.journey.engine.state import CorruptJournal, RunState
from realms.journey.plans.plan import Plan
from utilities.errors import ErrorKind, PlatformError

_PLANS = 256


class Contradictory(Exception):
    """The facts of the run contradict themselves; its cause tells how."""


class Unfit(Exception):
    """The run's text does not fit the city any more, or a payload of it is gone."""

    def __init__(self, run: RunState, why: PlatformError) -> None:
        super().__init__(why.detail)
        self.run = run
        self.why = why


class PinnedPlans:
    """The plans of the texts that runs began with; each is compiled once."""

    def __init__(self, *, journal: Journal, templates: TemplateSource) -> None:
        self._journal = journal
        self._templates = templates
        self._plans: dict[str, Plan] = {}
        self._compiling: dict[str, asyncio.Event] = {}
        """Set when a text that is being compiled is done with, one way or the other."""

    async def of(self, run: RunState) -> Plan:
        """The plan of the text that a run goes by.

        However many runs of it are taken up together, one has it compiled, and then all go on at
        once: by a lock they would go on one after the other, each to a commit of its own.
        """
        text_hash = run.template_hash
        while (known := self._plans.get(text_hash)) is None:
            if (compiling := self._compiling.get(text_hash)) is None:
                return await self._compiled(text_hash)
            await compiling.wait()
        return known

    async def _compiled(self, text_hash: str) -> Plan:
        done = self._compiling[text_hash] = asyncio.Event()
        try:
            text = await self._journal.pinned_text(text_hash)
            plan = self._plans[text_hash] = await self._templates.compiled(text)
        finally:
            del self._compiling[text_hash]
            done.set()
        while len(self._plans) > _PLANS:
            del self._plans[next(iter(self._plans))]
        return plan


class Reader:
    """Makes of a stored journal a run that can be driven."""

    def __init__(self, *, plans: PinnedPlans, payloads: Payloads) -> None:
        self._plans = plans
        self._payloads = payloads

    async def read(self, stored: Stored) -> Hand:
        """The run, with its plan and its payloads.

        Raises:
            Contradictory, Unfit: it cannot be driven until somebody does something about it.
            NewerEntry: it cannot be by this version of the city.
            Unreadable: a store is away.
        """
        try:
            run = folded(stored)
        except (CorruptFact, CorruptJournal) as error:
            raise Contradictory from error
        try:
            await self._payloads.restore(run)
            plan = await self._plans.of(run)
        except PlatformError as error:
            if error.kind is ErrorKind.UNAVAILABLE:  # a store is away, and the run is well
                raise waiting(run.run_id, error) from error
            raise Unfit(run, error) from error
        if unknown := [state.path for state in run.active.values() if state.node not in plan.nodes]:
            raise Contradictory from CorruptJournal(f"its text has no {', '.join(unknown)}")
        return Hand(plan, run, stored.row, user_of(run), durable=run.entries)


def folded(stored: Stored) -> RunState:
    """The run that a stored journal tells.

    Raises:
        CorruptFact, CorruptJournal: it cannot be read.
    """
    return fold(stored.row.run_id, map(decode, stored.entries))


def waiting(run_id: str, why: PlatformError) -> Unreadable:
    """The error of a run that something has to be done for, before it can be driven."""
    return Unreadable(
        f"{run_id} waits for what it cannot go on without: {why.detail}", hint=why.hint
    )

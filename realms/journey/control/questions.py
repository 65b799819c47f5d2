"""Questions that runs ask people: who may answer, what fits, and what an answer means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from realms.journey.api import Reason
from realms.journey.control.verbs import By, NotAllowed, Verb, check
from realms.journey.engine.core import idempotency_key
from realms.journey.engine.facts import AnswerGiven, AnswerRefused, Fact
from realms.journey.engine.state import NodeState, RunState
from realms.journey.plans.plan import Ask, Plan
from utilities.errors import ErrorKind, PlatformError
from utilities.suggest import did_you_mean

ANSWER_ALL = frozenset({"owner", "admin"})
"""Roles that may answer every question of their tenant."""


class UnknownQuestion(PlatformError):
    """The run has no such question."""

    kind = ErrorKind.NOT_FOUND


class NotYours(PlatformError):
    """The question is for people with another role."""

    kind = ErrorKind.REFUSED


class InvalidAnswer(PlatformError):
    """The answer does not fit the form; the question is open as before."""

    kind = ErrorKind.INVALID


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """One wait for people; its id names the run, the milestone, its iteration and generation."""

    wait_id: str
    path: str
    ask: Ask
    state: NodeState

    @property
    def due(self) -> datetime | None:
        return self.state.wake_at

    @property
    def role(self) -> str:
        """The role that was asked first; everyone's when empty."""
        return self.ask.role

    def may_answer(self, by: By) -> bool:
        return _may(self.ask, self.state, by)


def open_questions(plan: Plan, run: RunState) -> list[OpenQuestion]:
    """What the run asks at the moment."""
    if run.ended is not None:
        return []
    return [
        OpenQuestion(idempotency_key(run, state), state.path, work, state)
        for state in run.active.values()
        if state.reason is Reason.PERSON and isinstance(work := plan.nodes[state.node].work, Ask)
    ]


def question(plan: Plan, run: RunState, wait_id: str, *, verb: Verb = Verb.ANSWER) -> OpenQuestion:
    """The open question with this id.

    Raises:
        UnknownQuestion: the run never had it.
        NotAllowed: it is over.
    """
    asked = {found.wait_id: found for found in open_questions(plan, run)}
    if (found := asked.get(wait_id)) is not None:
        return found
    if _was_asked(plan, run, wait_id):
        raise NotAllowed(verb, run, f"the question {wait_id} is over", hint=_others(asked))
    hint = did_you_mean(wait_id, asked) or _others(asked)
    raise UnknownQuestion(f'{run.run_id} asks nothing called "{wait_id}"', hint=hint)


def answer(
    plan: Plan, run: RunState, by: By, *, wait_id: str, given: Mapping[str, Any]
) -> tuple[Fact, ...]:
    """Answer a question. One that does not fit the form becomes `AnswerRefused`, and stays open.

    The same answer of the same person counts once.

    Raises:
        NotAllowed: the run or the question is over, or this person has answered otherwise.
        UnknownQuestion: the run never asked it.
        NotYours: the caller has not the role.
    """
    check(Verb.ANSWER, run)
    asked = question(plan, run, wait_id)
    check_role(asked.ask, asked.state, by)
    for before in asked.state.answers:
        if before.principal == by.principal:
            if before.answer == given:
                return ()
            raise NotAllowed(Verb.ANSWER, run, f"{by.principal} has answered {wait_id} already")
    if faults := asked.ask.fits.faults(given):
        return (AnswerRefused(at=by.at, path=asked.path, errors=faults, principal=by.principal),)
    return (AnswerGiven(at=by.at, path=asked.path, answer=given, principal=by.principal),)


def check_role(ask: Ask, state: NodeState, by: By) -> None:
    """Let people pass who may answer.

    Raises:
        NotYours: they have not the role.
    """
    if not _may(ask, state, by):
        roles = " or ".join([ask.role, ask.escalate_to] if _escalated(ask, state) else [ask.role])
        raise NotYours(f"{state.path} asks people with the role {roles}")


def invalid(refused: AnswerRefused, *, asked: str) -> InvalidAnswer:
    """The error that the person hears whose answer was refused."""
    return InvalidAnswer(f"the answer does not fit the form of {asked}", errors=refused.errors)


def _may(ask: Ask, state: NodeState, by: By) -> bool:
    roles = frozenset(by.roles)
    if not ask.role or ask.role in roles or roles & ANSWER_ALL:
        return True
    return _escalated(ask, state) and ask.escalate_to in roles


def _escalated(ask: Ask, state: NodeState) -> bool:
    return state.escalated and bool(ask.escalate_to)


def _was_asked(plan: Plan, run: RunState, wait_id: str) -> bool:
    own, _, rest = wait_id.partition(":")
    path = rest.partition(":")[0].partition("[")[0]
    return own == run.run_id and path in plan.nodes and isinstance(plan.nodes[path].work, Ask)


def _others(asked: Mapping[str, Any]) -> str:
    return f"open: {', '.join(asked)}" if asked else "it asks nothing at the moment"

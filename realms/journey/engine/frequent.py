"""Facts that nearly every milestone makes, as they are stored: what is as always is left out.

They are read by hand as they are written by hand, which takes half of what the schema takes. A
reader takes only what stands there exactly as it is written here; all else it calls `Unusual` and
leaves to the schema (`codec`), which reads it or tells what is wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from realms.journey.engine.facts import (
    AttemptLost,
    Fact,
    IterationEnded,
    MilestoneBegan,
    MilestoneSucceeded,
    RunStarted,
)


class Unusual(Exception):
    """Something does not stand as it is written here."""


def write_began(fact: MilestoneBegan) -> object:
    written = {"kind": fact.kind, "at": fact.at, "path": fact.path, "attempt": fact.attempt}
    if fact.alone:
        written["alone"] = True
    return written


def read_began(stored: dict[str, Any]) -> MilestoneBegan:
    path, attempt = stored["path"], stored["attempt"]
    if len(stored) != 4 or type(path) is not str or type(attempt) is not int:
        raise Unusual
    return MilestoneBegan(_moment(stored["at"]), path, attempt)


def read_lost(stored: dict[str, Any]) -> AttemptLost:
    path, attempt = stored["path"], stored["attempt"]
    if len(stored) != 4 or type(path) is not str or type(attempt) is not int:
        raise Unusual
    return AttemptLost(at=_moment(stored["at"]), path=path, attempt=attempt)


def write_succeeded(fact: MilestoneSucceeded) -> object:
    written = {
        "kind": fact.kind,
        "at": fact.at,
        "path": fact.path,
        "output": None if fact.spilled else fact.output,
        "attempt": fact.attempt,
    }
    if fact.spilled:
        written["spilled"] = fact.spilled
    if fact.signal:
        written["signal"] = fact.signal
    if fact.memo or fact.gathered:
        written["memo"] = fact.memo
        written["gathered"] = fact.gathered
    return written


def read_succeeded(stored: dict[str, Any]) -> MilestoneSucceeded:
    path, attempt = stored["path"], stored["attempt"]
    if len(stored) != 5 or type(path) is not str or type(attempt) is not int:
        raise Unusual
    return MilestoneSucceeded(_moment(stored["at"]), path, stored["output"], attempt)


def write_iterated(fact: IterationEnded) -> object:
    return replace(fact, output=None) if fact.spilled else fact


def write_started(fact: RunStarted) -> object:
    written = {
        "kind": fact.kind,
        "at": fact.at,
        "template": fact.template,
        "template_hash": fact.template_hash,
        "values": {} if fact.spilled else fact.values,
        "trace_id": fact.trace_id,
        "tenant": fact.tenant,
        "principal": fact.principal,
        "roles": fact.roles,
        "alias": fact.alias,
        "pins": fact.pins,
        "deadline": fact.deadline,
    }
    if fact.parent or fact.forked_from or fact.lane or fact.spilled:
        written["parent"] = fact.parent
        written["parent_path"] = fact.parent_path
        written["forked_from"] = fact.forked_from
        written["lane"] = fact.lane
        written["spilled"] = fact.spilled
    return written


def read_started(stored: dict[str, Any]) -> RunStarted:
    if tuple(stored) != _STARTED:
        raise Unusual
    _, at, template, text_hash, values, trace, tenant, principal, roles, alias, pins, deadline = (
        stored.values()
    )
    texts = (template, text_hash, trace, tenant, principal, alias, *roles, *pins.values())
    if type(values) is not dict or type(roles) is not list or set(map(type, texts)) != _TEXT:
        raise Unusual
    return RunStarted(
        _moment(at),
        template,
        text_hash,
        values,
        trace,
        tenant,
        principal,
        tuple(roles),
        alias,
        pins=pins,
        deadline=None if deadline is None else _moment(deadline),
    )


_STARTED = (
    "kind",
    "at",
    "template",
    "template_hash",
    "values",
    "trace_id",
    "tenant",
    "principal",
    "roles",
    "alias",
    "pins",
    "deadline",
)
_TEXT = {str}


@lru_cache(maxsize=32)
def _moment(stored: str) -> datetime:
    """A time as it is written: `2026-11-28T11:03:48.779846+00:00`.

    Facts that came about together have the same.
    """
    if stored[4:20:3] != "--T::." or stored[26:] != "+00:00":
        raise Unusual
    return datetime.fromisoformat(stored)


WRITERS: Mapping[type[Fact], Callable[[Any], object]] = {
    MilestoneBegan: write_began,
    MilestoneSucceeded: write_succeeded,
    IterationEnded: write_iterated,
    RunStarted: write_started,
}
"""What the object store keeps for a fact is not written again."""

READERS: Mapping[str, Callable[[dict[str, Any]], Fact]] = {
    "milestone_began": read_began,
    "milestone_succeeded": read_succeeded,
    "attempt_lost": read_lost,
    "run_started": read_started,
}
"""By kind. They raise `Unusual`, or what comes of taking a thing for what it is not."""

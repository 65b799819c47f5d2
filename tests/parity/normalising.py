"""What two journals of one journey have in common, whoever did it and when.

Taken out, and nothing else:

- times: `at`, `wake_at`, `deadline`, and texts that are a time;
- ids: of runs, files, contents, events and traces. Each becomes a number, in the order in which
  it stands, so that the same id is the same number;
- the alias of the run and the keys of objects, which hold such ids;
- the order between paths: facts of one path keep theirs, as do those of the run itself. Where the
  template orders two paths, `out_of_order` tells whether the journal does;
- which facts were one entry.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from realms.journey.api import Failure
from realms.journey.engine.facts import Fact, MilestoneBegan, RunCompensating
from realms.journey.plans.plan import Plan
from tests.chaos.store import Kept, Store

_TIMES = {"at", "wake_at", "deadline"}
_DROPPED = {*_TIMES, "alias", "trace_id"}
_ID = re.compile(
    r"\b(?:[0-9a-hjkmnp-tv-z]{26}(?:-[0-9a-f]{20})*|content_[0-9a-f]{24}|[0-9a-f]{32})\b"
)
"""Of a run or a file, of a run within another, of a content, of a trace."""
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")


def normalised(kept: Kept, store: Store) -> Any:
    """The journal of a run, and of those it began, without what may differ."""
    told = json.dumps(_told(kept, store), sort_keys=True, default=_plain)
    numbers: dict[str, str] = {}
    told = _ID.sub(lambda found: numbers.setdefault(found[0], f"ID-{len(numbers)}"), told)
    return json.loads(_TIME.sub("TIME", told))


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Where two journals differ, as lines."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), f"{where}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, theirs, f"{where}/{number}")
    elif one != other:
        yield f"{where}: {_short(one)} in one process, {_short(other)} on workers"


def out_of_order(kept: Kept, plan: Plan) -> Iterator[str]:
    """Milestones that began before one that they need had ended."""
    ended: set[str] = set()
    for fact in kept.facts:
        path = getattr(fact, "path", "")
        if isinstance(fact, MilestoneBegan) and "~" not in path:
            node = plan.nodes.get(path.partition("[")[0])
            for need in node.needs if node is not None else ():
                if need not in ended:
                    yield f"{path} of {kept.template} began before {need} had ended"
        elif fact.kind in _ENDS:
            ended.add(path)


_ENDS = {"milestone_succeeded", "milestone_failed", "milestone_skipped", "milestone_cancelled"}


def _told(kept: Kept, store: Store) -> dict[str, Any]:
    paths: dict[str, list[Any]] = {}
    for fact in kept.facts:
        paths.setdefault(getattr(fact, "path", ""), []).append(_values(fact))
    children = {
        child.entries[0][0].parent_path: _told(child, store)  # type: ignore[union-attr]  # a run begins with its start
        for child in store.runs.values()
        if child.parent == kept.run_id and child.entries
    }
    return {
        "template": kept.template,
        "status": kept.status,
        "paths": dict(sorted(paths.items())),
        "children": dict(sorted(children.items())),
    }


def _values(fact: Fact) -> dict[str, Any]:
    values = {f.name: getattr(fact, f.name) for f in fields(fact) if f.name not in _DROPPED}
    for name in _TIMES - {"at"}:
        if hasattr(fact, name):
            values[f"has {name}"] = getattr(fact, name) is not None
    if isinstance(fact, RunCompensating):
        values["paths"] = sorted(fact.paths)
    if values.get("spilled"):
        values["spilled"] = "an object"
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Failure):
        return value.model_dump(mode="json")
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    return dict(value)


def _short(value: Any) -> str:
    told = json.dumps(value)
    return told if len(told) <= 300 else f"{told[:297]}..."

"""A run as the command line tells it to people: what it came to, what it waits for, what to do."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from foundations.experience.terminal import Terminal

MOST_ITEMS = 20
"""So many items of a run are told one by one."""
_ENDED = frozenset({"succeeded", "failed", "cancelled", "compensated"})
_MOVES = frozenset({"pending", "queued", "running", "compensating"})


def goes_on(run: dict[str, Any], *, by: datetime) -> bool:
    """Whether more will come of it by itself until then."""
    wakes = run["status"] == "waiting" and run["wake_at"]
    return run["status"] in _MOVES or bool(wakes and datetime.fromisoformat(wakes) <= by)


def journeys_within(run: dict[str, Any]) -> list[str]:
    """The runs that it waits for."""
    waits = [m for m in run["milestones"] if m["reason"] == "journey" and m["status"] == "waiting"]
    return [milestone["child"] for milestone in waits if milestone["child"]]


def ended_otherwise(run: dict[str, Any], *, meant: frozenset[str]) -> bool:
    """Whether a run has come to an end that nobody meant."""
    return run["status"] in _ENDED and run["status"] not in meant


def tell(run: dict[str, Any], terminal: Terminal) -> None:
    """How a run stands in one line, and what it asks; beside that, why it failed."""
    terminal.say(f"run {run['alias'] or run['run_id']} of {run['template']}: {state(run)}")
    for line in _asked(run):
        terminal.say(line)
    if run["error"]:
        terminal.note(f"error: {run['error']['detail']}")


def tell_all(run: dict[str, Any], terminal: Terminal) -> None:
    """A run, milestone by milestone, and what there is to say of each."""
    terminal.say(f"run {run['alias'] or run['run_id']} of {run['template']}: {state(run)}")
    terminal.say(f"trace id {run['trace_id']}")
    whole = [m for m in run["milestones"] if not _is_item(m)]
    terminal.table(
        ["milestone", "status", "attempts", "ended"],
        [
            [m["milestone_id"], state(m) + _undone(m), m["attempts"], m["ended_at"] or ""]
            for m in whole
        ],
    )
    for milestone in whole:
        for line in _of_milestone(milestone):
            terminal.say(f"{milestone['milestone_id']}: {line}")
        for line in _of_items(milestone, run["milestones"]):
            terminal.say(line)
    for line in (*_asked(run), *_why(run)):
        terminal.say(line)
    if run["left_undone"]:
        terminal.say(f"left undone: {', '.join(run['left_undone'])}")
    if (settled := run["settlement"]) is not None:
        terminal.say(" ".join(f"settled by {settled['by']}: {settled['note']}".split()).rstrip(":"))


def state(part: dict[str, Any]) -> str:
    """The status of a run or a milestone, and its reason if it has one."""
    return f"{part['status']} ({part['reason']})" if part["reason"] else str(part["status"])


def _of_milestone(milestone: dict[str, Any]) -> Iterator[str]:
    if milestone["items"] is not None:
        yield _counts(milestone)
    yield from _of_path(milestone)


def _of_path(milestone: dict[str, Any]) -> Iterator[str]:
    """What there is to say of a milestone, an item of one, or what undoes one."""
    if milestone["wake_at"]:
        yield f"waits until {milestone['wake_at']}"
    if milestone["child"] and milestone["status"] != "succeeded":
        yield f"is the run {milestone['child']}"
    if milestone["reason"] == "ambiguous":
        yield "nobody knows whether it took place; retry it, or skip it with the result it had"
    if milestone["error"]:
        yield str(milestone["error"]["detail"])


def _counts(milestone: dict[str, Any]) -> str:
    """How its items stand: `298 of 500 items succeeded, 101 failed, 2 wait`."""
    counted = [f"{milestone['items_succeeded']:,} of {milestone['items']:,} items succeeded"]
    counted += [
        f"{number:,} {word}"
        for number, word in (
            (milestone["items_failed"], "failed"),
            (milestone["items_waiting"], "waiting"),
            (milestone["items_running"], "running"),
            (milestone["items_cancelled"], "cancelled"),
        )
        if number
    ]
    return ", ".join(counted)


def _of_items(milestone: dict[str, Any], all_shown: list[dict[str, Any]]) -> Iterator[str]:
    """The first of those items that failed or wait, by the path that verbs call them."""
    if milestone["items"] is None:
        return
    begin = f"{milestone['milestone_id']}["
    items = [m for m in all_shown if _is_item(m) and m["milestone_id"].startswith(begin)]
    for item in items[:MOST_ITEMS]:
        said = "; ".join(_of_path(item))
        yield f"{item['milestone_id']}: {state(item)}" + (f": {said}" if said else "")
    left = milestone["items_failed"] + milestone["items_waiting"] - MOST_ITEMS
    if left > 0:
        yield f"and {left:,} more of its items; `run history` tells all"


def _asked(run: dict[str, Any]) -> Iterator[str]:
    for question in run["questions"]:
        roles = [question["role"] or "anyone"]
        if question["escalated"] and question["escalate_to"]:
            roles.append(question["escalate_to"])
        due = f", until {question['due']}" if question["due"] else ""
        yield f"asks {' or '.join(roles)}: {question['wait_id']}{due}"


def _why(run: dict[str, Any]) -> Iterator[str]:
    """Why a run failed, where no milestone that was told says so already."""
    error = run["error"]
    if not error:
        return
    told = [m["error"]["detail"] for m in run["milestones"] if m["error"]]
    if error["detail"] not in told:
        yield f"error: {error['detail']}"
    if error["hint"]:
        yield f"fix: {error['hint']}"


def _is_item(milestone: dict[str, Any]) -> bool:
    return str(milestone["milestone_id"]).endswith("]")


def _undone(milestone: dict[str, Any]) -> str:
    return ", undone" if milestone["undone"] else ""

"""From the text of a template to the template, with every fault of its form at once."""

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from realms.journey.language.milestone import WORK, Milestone
from realms.journey.language.ordering import Step, steps_of
from realms.journey.language.template import MAX_MILESTONES, OF_EXPRESSIONS, RESERVED_IDS, Template
from realms.journey.language.template_reader import TemplateReader
from utilities.marked_faults import Faults
from utilities.strict_yaml import Entries, Node, UnreadableYaml, read_yaml

_FITS = {
    "api": {"service"},
    "with": {"service", "journey", "agent", "emit"},
    "for_each": set(WORK) - {"race"},
    "loop": set(WORK) - {"race"},
    "retry": {"service", "journey", "agent", "emit"},
    "timeout": {"service", "journey", "agent", "emit"},
    "heartbeat": {"service", "agent"},
    "compensate": set(WORK) - {"wait", "wait_for", "race"},
    "memoize": {"service", "agent"},
}
"""Words that make sense with some kinds of work only."""
_INSTEAD = {
    "ask": {"timeout": "Say when it is due: ask: {due: 48h}"},
    "wait_for": {"timeout": "Say it inside: wait_for: {signal: name, timeout: 1h}"},
    "race": {"timeout": "Give it a branch that waits: {milestone_id: late, wait: 1h}"},
}
_NOT_IN_A_RACE = ("next_milestone", "needs", "race")


@dataclass(frozen=True, slots=True)
class Reading:
    """What could be read of a template; whole only when there are no faults."""

    template: Template
    text_hash: str
    faults: Faults
    steps: tuple[Step, ...] = ()


def text_hash(source: str | bytes) -> str:
    """The identity of a template's text."""
    data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    return hashlib.sha256(data).hexdigest()


def read_template(source: str | bytes) -> Reading:
    """Read a template: what is sound of it, and its faults of form.

    A check against the services adds its own to them.
    """
    faults = Faults()
    try:
        root = read_yaml(source)
    except UnreadableYaml as error:
        for fault in error.faults:
            faults.marks[f"yaml {fault.mark}"] = fault.mark
            faults.add(f"yaml {fault.mark}", fault.problem, path="yaml")
        return Reading(Template(), text_hash(source), faults)
    template = TemplateReader(faults).part(Template, root, "")
    steps = steps_of(template)
    _check_top(root, template, steps, faults)
    _check_ids(steps, faults)
    for step in steps:
        _check_work(step, faults)
    if len(steps) > MAX_MILESTONES:
        steps = ()
    return Reading(template, text_hash(source), faults, steps)


def _check_top(root: Node, template: Template, steps: tuple[Step, ...], faults: Faults) -> None:
    if isinstance(root, Entries):
        if root.entry("journey_template") is None:
            faults.add("", 'the template has no name: "journey_template" is missing')
        if root.entry("milestones") is None:
            faults.add("", 'a journey without milestones goes nowhere: "milestones" is missing')
    if len(steps) > MAX_MILESTONES >= len(template.milestones):
        problem = f"has {len(steps):,} milestones with all branches; {MAX_MILESTONES} is the most"
        faults.add("milestones", problem)
    known = [step.id for step in steps if step.race < 0]
    for number, name in enumerate(template.finally_ or ()):
        if steps and name not in known:
            problem = f'no milestone is called "{name}"'
            faults.add(f"finally[{number}]", problem, wrong=name, right=known)
    if steps and all(step.closing or step.race >= 0 for step in steps):
        faults.add("finally", "names every milestone; none is left to come before")


def _check_ids(steps: tuple[Step, ...], faults: Faults) -> None:
    seen: dict[str, Step] = {}
    for step in steps:
        if not step.id:
            continue
        place = f"{step.place}.milestone_id"
        if step.id in RESERVED_IDS:
            words = ", ".join(sorted(RESERVED_IDS))
            faults.add(place, f'"{step.id}" is reserved, as are {words}')
        elif step.id in OF_EXPRESSIONS:
            faults.add(place, f'"{step.id}" is a word of expressions; call it otherwise')
        first = seen.setdefault(unicodedata.normalize("NFC", step.id).casefold(), step)
        if first is not step:
            mark = faults.mark(f"{first.place}.milestone_id")
            same = "is the id of" if first.id == step.id else _differs(first.id)
            faults.add(place, f'"{step.id[:64]}" {same} {first.place} already, at {mark}')


def _differs(first: str) -> str:
    return f'differs only in case or form from "{first[:64]}",'


def _check_work(step: Step, faults: Faults) -> None:
    """One kind of work, and only words that make sense with it."""
    milestone, place = step.written, step.place
    written = _written(milestone)
    works = [word for word in WORK if word in written]
    for word in works[1:]:
        problem = f'"{works[0]}" and "{word}" both say what to do; a milestone does one thing'
        faults.add(f"{place}.{word}", problem)
    if not works:
        if "api" in written:
            faults.add(place, '"service" is missing')
        elif written:
            faults.add(place, f"does nothing: it needs one of {', '.join(WORK)}")
        return
    if works == ["service"] and "api" not in written:
        faults.add(place, '"api" is missing')
    if len(works) == 1:
        _check_fitting(works[0], written, place, faults)
    if {"for_each", "loop"} <= set(written):
        problem = '"loop" makes no sense with "for_each": let a journey of its own do one of them'
        faults.add(f"{place}.loop", problem)
    for word in _NOT_IN_A_RACE if step.race >= 0 else ():
        if word in written:
            problem = f'"{word}" makes no sense in a branch: its race begins it, and ends it'
            faults.add(f"{place}.{word}", problem)


def _check_fitting(work: str, written: list[str], place: str, faults: Faults) -> None:
    for word in written:
        if word in _FITS and work not in _FITS[word]:
            problem = f'"{word}" makes no sense with "{work}"'
            remedy = _INSTEAD.get(work, {}).get(word, "")
            faults.add(f"{place}.{word}", problem, suggestion=remedy)


def _written(milestone: Milestone) -> list[str]:
    """The words that were written, as they were."""
    found: Iterator[tuple[str, str | None]] = (
        (name, field.alias) for name, field in Milestone.model_fields.items()
    )
    return [alias or name for name, alias in found if name in milestone.model_fields_set]

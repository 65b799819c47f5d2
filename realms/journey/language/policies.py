"""Policies of a template in the engine's own terms: retries, schedules, limits."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from realms.journey.language.milestone import Retry
from realms.journey.language.template import Schedule, Template
from realms.journey.plans.contracts import Fits
from realms.journey.plans.plan import JsonSchema
from realms.journey.plans.plan import Schedule as PlannedSchedule
from realms.journey.plans.retries import (
    DEFAULT_RETRY,
    NO_RETRY,
    Jitter,
    RetryPolicy,
)
from utilities.errors import ErrorKind
from utilities.marked_faults import Faults
from utilities.names import snake_case
from utilities.suggest import did_you_mean

_BUILT_IN = {"default": DEFAULT_RETRY, "none": NO_RETRY}
_GROWING = ("first_delay", "factor", "max_delay")
_FEW_LETTERS = 2
"""A name that is longer than a kind by more than these is no misspelling of it."""


class RetryPolicies:
    """The retry policies of one template, by name and as stated in place."""

    def __init__(self, template: Template, faults: Faults) -> None:
        self._faults = faults
        self._known = dict(_BUILT_IN)
        for name, stated in template.retries.items():
            place = f"retries.{name}"
            if name in _BUILT_IN:
                faults.add(place, f'"{name}" is built in; give this policy another name')
            else:
                self._known[name] = self._policy(stated, place)
        self._default = self._found(template.defaults.retry, "defaults.retry", DEFAULT_RETRY)

    def of(self, stated: Retry | str | None, place: str) -> RetryPolicy:
        """The policy that a milestone at `place` states, or the template's default."""
        return self._found(stated, place, self._default)

    def _found(self, stated: Retry | str | None, place: str, default: RetryPolicy) -> RetryPolicy:
        match stated:
            case None:
                return default
            case Retry():
                return self._policy(stated, place)
        if stated not in self._known and not self._faults.at(place):
            problem = f'no retry policy is called "{stated}"'
            self._faults.add(place, problem, wrong=stated, right=self._known)
        return self._known.get(stated, default)

    def _policy(self, stated: Retry, place: str) -> RetryPolicy:
        values = {word: getattr(stated, word) for word in stated.model_fields_set}
        values = {word: value for word, value in values.items() if value is not None}
        for word in ("on", "never_on"):
            if word in values:
                self._check_kinds(values[word], f"{place}.{word}")
                values[word] = frozenset(_error_name(name) for name in values[word])
        if both := sorted(values.get("on", frozenset()) & values.get("never_on", frozenset())):
            self._faults.add(f"{place}.never_on", f'names {", ".join(both)}, and so does "on"')
        if "on" in values and "never_on" not in values:
            values["never_on"] = frozenset()
        if "delays" in values:
            for word in _GROWING:
                if word in values:
                    problem = f'"{word}" makes no sense with "delays", which states them all'
                    self._faults.add(f"{place}.{word}", problem)
            values.setdefault("attempts", len(values["delays"]) + 1)
            values.setdefault("jitter", Jitter.NONE)
        return RetryPolicy(**values)

    def _check_kinds(self, names: Iterable[str], place: str) -> None:
        """A kind that is misspelt would be the name of an error that never comes."""
        for at, name in enumerate(names):
            alike = [kind for kind in ErrorKind if abs(len(kind) - len(name)) <= _FEW_LETTERS]
            known = name in alike or not name.islower()  # a class is called NotFound
            if not known and (near := did_you_mean(name, alike)):
                problem = f'no kind of error is called "{name}"'
                self._faults.add(f"{place}[{at}]", problem, suggestion=near)


def _error_name(name: str) -> str:
    """A kind of error as it is, the name of a class as `Failure.code` has it."""
    return name if name in set(ErrorKind) else snake_case(name)


SHORTEST_EVERY = timedelta(seconds=1)


def schedule_of(
    schedule: Schedule | None, inputs: Mapping[str, JsonSchema], faults: Faults
) -> PlannedSchedule | None:
    """A schedule that can be kept: its times exist, and its runs have all that they need."""
    if schedule is None:
        return None
    stated = {"cron", "every"} & schedule.model_fields_set
    if len(stated) != 1:
        both = '"cron" and "every" both say when' if stated else 'says not when: "cron" or "every"'
        faults.add("schedule", f"{both}; one of them does" if stated else both)
    if "cron" in stated and not faults.at("schedule.cron"):
        _check_cron(schedule.cron, faults)
    if schedule.every is not None and schedule.every < SHORTEST_EVERY:
        faults.add("schedule.every", "is too often; 1s is the shortest")
    _check_zone(schedule.timezone, faults)
    _check_values(schedule.input, inputs, faults)
    return PlannedSchedule(
        cron=schedule.cron,
        every=schedule.every,
        timezone=schedule.timezone,
        overlap=schedule.overlap,
        catch_up=schedule.catch_up,
        values=schedule.input,
    )


def checked_inputs(inputs: Mapping[str, JsonSchema], faults: Faults) -> None:
    """Note every default of an input that does not fit its own schema."""
    for name, schema in inputs.items():
        if "default" in schema and (problem := Fits(schema).problem(schema["default"])):
            faults.add(f"input.{name}.default", f"does not fit: {problem}")


def _check_cron(cron: str, faults: Faults) -> None:
    try:
        next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        problem = f'"{cron}" is no cron expression: {str(error)[:1].lower()}{str(error)[1:]}'
        faults.add("schedule.cron", problem)
    except StopIteration:
        faults.add("schedule.cron", f'"{cron}" never comes')


_NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})
"""Files among those of time zones that are none, or another one on each machine."""


def _check_zone(name: str, faults: Faults) -> None:
    if not _is_zone(name):
        near = did_you_mean(name, sorted(available_timezones() - _NO_PLACES))
        faults.add("schedule.timezone", f'no time zone is called "{name}"', suggestion=near)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return name not in _NO_PLACES


def _check_values(
    values: Mapping[str, Any], inputs: Mapping[str, JsonSchema], faults: Faults
) -> None:
    for name, value in values.items():
        place = f"schedule.input.{name}"
        if name not in inputs:
            problem = f'the journey takes no "{name}"'
            faults.add(place, problem, wrong=name, right=inputs)
        elif isinstance(value, str) and "${" in value:
            faults.add(place, "no expression is evaluated here: write the value")
        elif problem := Fits(inputs[name]).problem(value):
            faults.add(place, f"does not fit the input: {problem}")
    for name, schema in inputs.items():
        if name not in values and "default" not in schema:
            faults.add("schedule", f'its runs lack the input "{name}": state it in schedule.input')

"""The words of tests of journeys, as frozen models, read as strictly as templates are."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from realms.journey.api import RunStatus
from realms.journey.language.milestone import Part, required
from realms.journey.language.words import (
    Condition,
    Duration,
    FieldName,
    Json,
    Known,
    Name,
    Value,
    Words,
)
from utilities.errors import ErrorKind

Count = Annotated[int, Field(ge=0, le=100_000)]


class Raised(Part):
    """An error of a service."""

    model_config = required("kind")
    REQUIRED: ClassVar = ("kind",)

    kind: ErrorKind = Field(
        default=ErrorKind.INTERNAL,
        description="Such as invalid, timeout or unavailable.",
    )
    code: Name = Field(default="", description="Its class in snake_case. Default its kind.")
    detail: Words = Field(default="", description="What happened.")
    retry_after: Duration | None = Field(
        default=None, description="After this it makes sense to try again."
    )


class Answer(Part):
    """What a mocked service does when it is called."""

    when: Condition = Field(
        default="", description="Only for calls with such parameters, seen by their names."
    )
    times: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="So often it is given. Default: once; with `when`, or as the last one, always.",
    )
    returns: Value = Field(
        default=None,
        description="The answer; expressions in it see the parameters. Fields that the service's "
        "own type has defaults for may be left out.",
    )
    raises: Raised | None = Field(default=None, description="It fails so.")
    takes: Duration | None = Field(default=None, description="Of virtual time. Default none.")
    beats: Duration | None = Field(
        default=None, description="It gives a sign of life so often. Default never."
    )


Answers = Answer | tuple[Answer, ...]
Mocks = Mapping[str, Answers]


class SentSignal(Part):
    """A signal that somebody sends to the run."""

    model_config = required("signal")
    REQUIRED: ClassVar = ("signal",)

    signal: Known = Field(default="", description="Its name.")
    after: Duration | None = Field(default=None, description="From the begin of the run.")
    data: Mapping[FieldName, Json] = Field(default_factory=dict, description="What it carries.")
    id: Words = Field(default="", description="One id counts once. Default: one of its own.")


class PersonsAnswer(Part):
    """What a person answers to a question of the run."""

    model_config = required("milestone")
    REQUIRED: ClassVar = ("milestone",)

    milestone: Known = Field(default="", description="The milestone that asks.")
    answer: Mapping[FieldName, Json] = Field(default_factory=dict, description="The filled form.")
    push_back: bool = Field(
        default=False, description="Send the run back to where the question's push_back_to says."
    )
    after: Duration | None = Field(default=None, description="From the moment it is asked.")
    by: Words = Field(default="", description="Who answers. Default: somebody.")
    roles: tuple[Known, ...] | None = Field(
        default=None, description="Their roles. Default: the one that is asked."
    )


class CrashPoint(Part):
    """Where the process dies, once; exactly one word."""

    before: Known = Field(default="", description="The attempt is journalled, the call not made.")
    called: Known = Field(default="", description="The call was made, its checkpoint not written.")
    after: Known = Field(default="", description="The checkpoint is durable.")


class Every(StrEnum):
    """Every point at which a crash can make a difference."""

    EVERY = "every"


class Error(Part):
    """An error that is expected, as far as it is stated."""

    kind: ErrorKind | None = Field(default=None, description="Its kind.")
    code: Known = Field(default="", description="Its code.")
    detail: Words = Field(default="", description="A part of its detail.")


Calls = Count | tuple[Mapping[str, Json], ...]


class Expectation(Part):
    """What must have come of a run; what is not stated is not looked at."""

    status: RunStatus = Field(
        default=RunStatus.SUCCEEDED, description="Of the run. Default succeeded."
    )
    reason: Known = Field(default="", description="The reason beside the status.")
    refused: Error | None = Field(default=None, description="The run was not even accepted.")
    error: Error | None = Field(default=None, description="Why the run failed.")
    path: tuple[Known, ...] | None = Field(
        default=None, description="The milestones that succeeded, in the order in which they did."
    )
    skipped: tuple[Known, ...] | None = Field(default=None, description="All that were skipped.")
    failed: tuple[Known, ...] | None = Field(default=None, description="All that were given up.")
    cancelled: tuple[Known, ...] | None = Field(default=None, description="All that were cut.")
    undone: tuple[Known, ...] | None = Field(default=None, description="All that were undone.")
    waiting: tuple[Known, ...] | None = Field(default=None, description="All that wait.")
    output: Json = Field(
        default=None, description="The run's output: what is stated must be there; more may be."
    )
    results: Mapping[str, Json] = Field(
        default_factory=dict, description="Results of milestones, stated in the same way."
    )
    calls: Mapping[str, Calls] = Field(
        default_factory=dict,
        description="How often an API was called, or with which parameters, call by call. A call "
        "that a crash repeated counts once.",
    )
    events: Mapping[str, Count] = Field(
        default_factory=dict, description="How often an event was published."
    )
    duration_at_least: Duration | None = Field(default=None, description="Of virtual time.")
    duration_at_most: Duration | None = Field(default=None, description="Of virtual time.")


class Case(Part):
    """One test: a run of the journey in a city whose services answer as it says."""

    model_config = required("name", "expect")
    REQUIRED: ClassVar = ("name", "expect")

    name: Words = Field(default="", description="A sentence about what the journey does.")
    input: Mapping[FieldName, Json] = Field(default_factory=dict, description="Of the run.")
    mocks: Mocks = Field(
        default_factory=dict,
        description="By `Service.api` or name of an agent. Of a list, each call is given the first "
        "answer that suits it and is not used up.",
    )
    signals: tuple[SentSignal, ...] = Field(default=(), description="Signals that are sent.")
    answers: tuple[PersonsAnswer, ...] = Field(default=(), description="Answers that are given.")
    until: Duration | None = Field(
        default=None,
        description="Let time pass up to this. Default: until the run has ended, or waits for "
        "someone who does nothing more.",
    )
    crash: Every | tuple[CrashPoint | Every, ...] = Field(
        default=(),
        description="The test is run once more for each point, with a crash there.",
    )
    expect: Expectation = Field(default_factory=Expectation, description="What comes of it.")


class Cases(Part):
    """A file of tests beside a template."""

    model_config = required("tests")
    REQUIRED: ClassVar = ("tests",)

    mocks: Mocks = Field(
        default_factory=dict, description="For every test that does not mock the same itself."
    )
    tests: tuple[Case, ...] = Field(default=(), min_length=1, description="The tests.")


def schema_of_tests() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a file of tests, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://civitas.invalid/schemas/journey-tests.json",
        **Cases.model_json_schema(by_alias=True),
    }

"""What is read by hand is what the schema reads, and nothing that it would refuse."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realms.journey.engine import codec
from realms.journey.engine.codec import CorruptFact, by_schema, decode, encode, plain
from realms.journey.engine.facts import (
    AttemptLost,
    Fact,
    IterationEnded,
    MilestoneBegan,
    MilestoneSucceeded,
    RunStarted,
)

AT = datetime(2026, 11, 28, 11, 3, 48, 779_846, tzinfo=UTC)
STARTED = RunStarted(
    AT,
    "mash",
    "hash-1",
    {"file": "f1", "size": 3},
    "trace",
    "north",
    "ada",
    roles=("owner", "reader"),
    alias="monday",
    pins={"other@1": "hash-2"},
    deadline=AT + timedelta(hours=24),
)
FREQUENT: Sequence[Fact] = (
    STARTED,
    MilestoneBegan(AT, "read", 1),
    MilestoneSucceeded(AT, "read[3]", {"out": [1, None, "é"]}, 2),
    AttemptLost(at=AT, path="read~undo", attempt=3),
)
LESS_FREQUENT: Sequence[Fact] = (
    MilestoneBegan(AT, "read", 3, alone=True),
    MilestoneSucceeded(AT, "read", {}, 1, signal="go", spilled="a/key", memo=True, gathered=True),
    IterationEnded(at=AT, path="read", output={"n": 1}, attempt=1),
    RunStarted(AT, "mash", "hash-1", {}, "t", "north", "ada", parent="run-0", lane="one"),
)

at_any_pace = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ZONES = [UTC, *(timezone(timedelta(minutes=90, seconds=more)) for more in (0, 15))]

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
odd_times = st.one_of(
    st.datetimes().map(datetime.isoformat),
    st.datetimes(timezones=st.sampled_from(ZONES)).map(datetime.isoformat),
    st.from_regex(
        r"\A\d{4}-[0-9W]{2}-?\d{1,2}[T ]\d\d:?\d\d:?[0-6]\d[.,]?\d{0,7}([+-]\d\d:\d\d|Z)\Z"
    ),
    st.sampled_from(
        [
            "2026-W48-6T11:03:48.779846+00:00",
            "2026-11-28T24:00:00.000000+00:00",
            "2026-11-28T23:59:60.000000+00:00",
            "2026-02-30T00:00:00.000000+00:00",
            "0000-01-01T00:00:00.000000+00:00",
            "2026-11-28T11:03:48.77+846+00:00",
            "٢٠٢٦-11-28T11:03:48.779846+00:00",
            "2026-11-28T11:03:48.779846+00:00:30",
            "2026-11-28T11:03:48+00:00",
            "1764327828",
        ]
    ),
)


def told(facts: Sequence[Fact]) -> list[Any]:
    """All of the facts, with the types of what they hold: to Python, True is 1."""
    return [
        (type(fact), [(f.name, type(value := getattr(fact, f.name)), value) for f in fields(fact)])
        for fact in facts
    ]


def read(data: bytes, *, by_hand: bool) -> Any:
    try:
        return told(decode(data) if by_hand else by_schema(plain(data)))
    except CorruptFact as error:
        return error.detail


@pytest.mark.parametrize("fact", FREQUENT, ids=lambda fact: fact.kind)
def test_what_every_milestone_makes_is_read_by_hand_as_by_the_schema(
    fact: Fact, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode([fact])
    expected = read(data, by_hand=False)

    monkeypatch.delattr(codec, "by_schema")

    assert read(data, by_hand=True) == expected == told([fact])


@pytest.mark.parametrize("fact", LESS_FREQUENT, ids=lambda fact: fact.kind)
def test_what_is_written_out_of_the_ordinary_is_read_too(fact: Fact) -> None:
    data = encode([FREQUENT[1], fact])

    assert read(data, by_hand=True) == read(data, by_hand=False)
    if not getattr(fact, "spilled", ""):
        assert decode(data) == [FREQUENT[1], fact]


@at_any_pace
@given(data=st.data())
def test_whatever_stands_there_is_read_as_by_the_schema_or_refused_in_its_words(
    data: st.DataObject,
) -> None:
    entry = orjson.loads(
        encode(data.draw(st.lists(st.sampled_from(FREQUENT), min_size=1, max_size=3)))
    )
    for fact in entry["facts"]:
        for name in data.draw(st.lists(st.sampled_from([*fact, "alone", "more"]), max_size=2)):
            if data.draw(st.booleans()):
                fact[name] = data.draw(json | odd_times)
            else:
                fact.pop(name, None)
    stored = orjson.dumps(entry)

    assert read(stored, by_hand=True) == read(stored, by_hand=False)


@at_any_pace
@given(time=odd_times)
def test_a_time_is_read_as_by_the_schema_or_left_to_it(time: str) -> None:
    for kind in ("milestone_began", "attempt_lost"):
        fact = {"kind": kind, "at": time, "path": "read", "attempt": 1}
        stored = orjson.dumps({"v": 2, "facts": [fact]})

        assert read(stored, by_hand=True) == read(stored, by_hand=False)


@at_any_pace
@given(facts=json)
def test_what_is_no_list_of_facts_is_refused_as_by_the_schema(facts: Any) -> None:
    stored = orjson.dumps({"v": 2, "facts": facts})

    assert read(stored, by_hand=True) == read(stored, by_hand=False)

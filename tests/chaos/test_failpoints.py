"""Failpoints: each has a name, is reached somewhere, and does nothing that nobody asked for."""

import re
from pathlib import Path

import pytest

import realms.journey
from realms.journey.engine import failpoints
from realms.journey.engine.failpoints import (
    OF_FACTS,
    PLACES,
    POINTS,
    VARIABLE,
    Asked,
    FaultyFailpoint,
    parsed,
    reach,
)
from tests.chaos.killing import KILLED
from tests.support.processes import civitas

_SOURCES = [path.read_text() for path in Path(realms.journey.__path__[0]).rglob("*.py")]


def test_thirty_places_and_more_have_names() -> None:
    assert len(POINTS) >= 30
    assert all(POINTS.values())


@pytest.mark.parametrize("place", PLACES)
def test_each_place_is_reached_once_in_the_engine(place: str) -> None:
    found = [text for text in _SOURCES if re.search(rf'\breach\(\s*"{place}"', text)]

    assert len(found) == 1


def test_each_kind_of_fact_that_has_a_name_is_a_fact() -> None:
    kinds = set(re.findall(r'kind: Literal\["(\w+)"\]', "".join(_SOURCES)))
    told_apart = {"fan_in", "timer_set", "timer_rang", "waits", "undo_began", "undone"}

    assert OF_FACTS.keys() - told_apart <= kinds


@pytest.mark.parametrize(
    ("asked", "reached", "happens"),
    [
        ("called", [("called", "a")], True),
        ("called:b", [("called", "a")], False),
        ("called:b", [("called", "a"), ("called", "b")], True),
        ("called@2", [("called", "a")], False),
        ("called@2", [("called", "a"), ("called", "b")], True),
        ("called", [("after", "a")], False),
    ],
)
def test_only_the_place_that_is_asked_for_does_something(
    asked: str, reached: list[tuple[str, str]], happens: bool
) -> None:
    what: list[str] = []
    wanted = parsed(asked)
    failpoints.ask(Asked(wanted.point, wanted.path, wanted.left, lambda: what.append("it")))
    try:
        for point, path in reached:
            reach(point, path)
    finally:
        failpoints.ask(None)

    assert bool(what) is happens


@pytest.mark.parametrize(
    "text", ["", "caled", "called=", "called@0", "called=pause", "called:a b@"]
)
def test_what_is_no_failpoint_is_refused(text: str) -> None:
    with pytest.raises(FaultyFailpoint):
        parsed(text)


@pytest.mark.parametrize("asked", ["", "called:some_path"])
def test_a_city_that_nobody_asks_has_no_failpoint(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, asked)
    try:
        failpoints.arm()

        assert bool(failpoints._asked) is bool(asked)
    finally:
        failpoints.ask(None)


def test_an_installed_package_refuses_to_start_with_a_failpoint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, "called")
    monkeypatch.setattr(failpoints, "_CHECKOUT", tmp_path / "nothing")

    with pytest.raises(FaultyFailpoint, match="installed package"):
        failpoints.arm()


@pytest.mark.slow
def test_a_city_refuses_to_start_with_a_failpoint_that_there_is_not(tmp_path: Path) -> None:
    environment = {VARIABLE: "caled"}

    ended = civitas("serve", "--port", "0", "--data-dir", tmp_path, environment=environment)

    assert ended.returncode == 78
    assert 'no failpoint "caled"' in ended.stderr
    assert "called" in ended.stderr


def test_every_place_is_killed_at_that_needs_no_lease() -> None:
    assert POINTS.keys() - set(KILLED) == {"renew", "renewed"}

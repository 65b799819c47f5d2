"""Containers made from constructor annotations."""

from typing import Protocol

import pytest
from dependency_injector.providers import Dependency

from foundations.wiring import constructor_needs, wire


class Ink(Protocol):
    def colour(self) -> str: ...


class BlueInk(Ink):
    def colour(self) -> str:
        return "blue"


class RedInk(Ink):
    def colour(self) -> str:
        return "red"


class Pen:
    def __init__(self, *, ink: Ink, width: int = 3) -> None:
        self.ink = ink
        self.width = width


class Unsaid:
    def __init__(self, *, ink) -> None:  # type: ignore[no-untyped-def]  # the missing type is the point
        self.ink = ink


def test_listed_implementation_fills_the_annotated_protocol() -> None:
    pen = wire(Pen, BlueInk)().providers["pen"]()

    assert pen.ink.colour() == "blue"
    assert pen.width == 3


def test_each_class_is_built_once_per_container() -> None:
    wired = wire(Pen, BlueInk)
    one, other = wired().providers["pen"], wired().providers["pen"]

    assert one() is one()
    assert one() is not other()


def test_what_is_not_listed_becomes_a_dependency() -> None:
    for wired in (wire(Pen), wire(Pen, BlueInk, RedInk)):
        needed = wired().providers["needs_ink"]
        assert isinstance(needed, Dependency)
        assert not needed.is_defined


def test_a_default_is_a_value_and_no_need() -> None:
    assert constructor_needs(Pen) == {"ink": Ink}
    assert constructor_needs(BlueInk) == {}
    assert constructor_needs(Pen) is constructor_needs(Pen)  # read once for all boots


def test_missing_annotation_is_an_error_when_asked_and_none_when_wired() -> None:
    with pytest.raises(TypeError, match="does not say the type of 'ink'"):
        constructor_needs(Unsaid)
    assert "unsaid" in wire(Unsaid)().providers


def namesake(colour: str) -> type:
    return type("Records", (), {"colour": colour})


ONE, OTHER = namesake("one"), namesake("other")


class ReadsOne:
    def __init__(self, *, records: ONE) -> None:  # type: ignore[valid-type]  # classes of one name, made above
        self.records = records


class ReadsOther:
    def __init__(self, *, records: OTHER) -> None:  # type: ignore[valid-type]  # classes of one name, made above
        self.records = records


def test_classes_of_one_name_are_kept_apart() -> None:
    listed = wire(ReadsOne, ReadsOther, ONE, OTHER)()
    asked_for = wire(ReadsOne, ReadsOther)()

    assert isinstance(listed.providers["reads_one"]().records, ONE)
    assert isinstance(listed.providers["reads_other"]().records, OTHER)
    assert sum(isinstance(p, Dependency) for p in asked_for.providers.values()) == 2

"""Entries of the journal as bytes: JSON with a schema version; older versions are read too."""

import functools
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from realms.journey.api import Failure
from realms.journey.engine.facts import Fact
from realms.journey.engine.frequent import READERS, WRITERS, Unusual
from utilities.errors import ErrorKind, PlatformError

SCHEMA_VERSION = 2


class CorruptFact(PlatformError):
    """A fact in the journal cannot be read."""

    kind = ErrorKind.INTERNAL


class NewerEntry(PlatformError):
    """A newer version of the city wrote this; that version can read it."""

    kind = ErrorKind.CONFLICT


class UnstorableResult(PlatformError):
    """The result of a milestone cannot be written as JSON."""

    kind = ErrorKind.INVALID


@functools.cache
def _schema() -> TypeAdapter[list[Fact]]:
    return TypeAdapter(list[Annotated[Fact, Field(discriminator="kind")]])


def encode(facts: Sequence[Fact]) -> bytes:
    """One entry as JSON, its schema version first.

    Raises:
        UnstorableResult: a fact holds something that is no JSON of at most 64 bits a number.
    """
    written = [WRITERS.get(type(fact), _whole)(fact) for fact in facts]
    try:
        return orjson.dumps({"v": SCHEMA_VERSION, "facts": written}, default=_plain)
    except TypeError as error:
        raise UnstorableResult(
            str(error), hint="answer with JSON values of at most 64 bits"
        ) from error


def decode(data: bytes) -> list[Fact]:
    """Read one stored entry; it can become nothing but facts.

    Raises:
        CorruptFact: it is no JSON, of an unknown kind, or lacks what its kind needs.
        NewerEntry: a newer version wrote it.
    """
    facts = plain(data)
    if type(facts) is list:
        try:
            return [READERS[fact["kind"]](fact) for fact in facts]
        except _UNUSUAL:
            pass
    return by_schema(facts)


_UNUSUAL = (Unusual, LookupError, TypeError, ValueError, AttributeError)


def by_schema(facts: Any) -> list[Fact]:
    """The same of what `plain` gave, whatever stands there.

    Raises:
        CorruptFact: it lacks what its kind needs, or is of none.
    """
    try:
        return _schema().validate_python(facts)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CorruptFact(f"a stored fact does not hold: {where}: {first['msg']}") from error


def plain(data: bytes) -> list[dict[str, Any]]:
    """The facts of one stored entry as JSON has them, and not checked further.

    Raises:
        CorruptFact: it is no JSON of ours.
        NewerEntry: a newer version wrote it.
    """
    try:
        facts: list[dict[str, Any]] = _upcast(orjson.loads(data))
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CorruptFact(f"a stored entry is no JSON of ours: {error}") from error
    return facts


def _upcast(stored: Any) -> Any:
    """The facts of an entry of any version, as this version has them."""
    match stored["v"]:
        case 1:  # one fact an entry
            return [stored["fact"]]
        case 2:
            return stored["facts"]
        case other:
            raise (NewerEntry if _is_newer(other) else CorruptFact)(
                f"a stored fact has schema version {other!r}; this program knows {SCHEMA_VERSION}",
                hint="run the version that wrote it",
            )


def _whole(fact: Fact) -> object:
    return fact


def _plain(value: object) -> object:
    """What orjson does not know by itself: the failure model inside a fact."""
    if isinstance(value, Failure):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no place in a journal")


def _is_newer(version: Any) -> bool:
    return isinstance(version, int) and version > SCHEMA_VERSION

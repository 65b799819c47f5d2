"""What travels by the broker: which keys of which queue are to be looked at, and nothing else.

A message carries no data, no tenant and no code. Whoever is woken reads the truth in the database,
so a message that is lost, doubled, old or forged can at most cause a look in vain.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from utilities.errors import ErrorKind, PlatformError

TASK = "civitas.wake"
VERSION = 1
MOST_KEYS = 100
LONGEST_KEY = 2_000


TRACES = "civitas_traces"
"""The header that says to which trace each key belongs, where spans are sent anywhere."""
Traces = Mapping[str, Mapping[str, str]]


class BadMessage(PlatformError):
    """A message is none of ours; it is dropped, and nothing is done because of it."""

    kind = ErrorKind.INVALID


class MessageTooLarge(PlatformError):
    """A message would be larger than a doorbell needs to be; it is not sent."""

    kind = ErrorKind.TOO_LARGE


class Wakes(NamedTuple):
    """Keys of one queue that are to be looked at."""

    queue: str
    keys: tuple[str, ...]


def packed(queue: str, keys: Sequence[str]) -> dict[str, Any]:
    """The message for keys of one queue.

    Raises:
        MessageTooLarge: there are too many, or one is too long.
    """
    if len(keys) > MOST_KEYS or any(len(key) > LONGEST_KEY for key in keys):
        raise MessageTooLarge(
            f"a wake of {len(keys)} keys, the longest of {max(map(len, keys))} characters",
            hint=f"at most {MOST_KEYS} keys of {LONGEST_KEY} characters fit into one message",
        )
    return {"version": VERSION, "queue": queue, "keys": list(keys)}


def unpacked(arguments: Sequence[object], message: Mapping[str, object]) -> Wakes:
    """What a message says.

    Raises:
        BadMessage: it is not one of ours, or of a newer version.
    """
    if arguments or set(message) != {"version", "queue", "keys"}:
        raise BadMessage("it has not the parts version, queue and keys")
    if message["version"] != VERSION:
        raise BadMessage("its version is not known here", hint="bring this worker up to date")
    queue, keys = message["queue"], message["keys"]
    if not isinstance(queue, str) or not isinstance(keys, list) or not keys:
        raise BadMessage("its queue is no text, or its keys are no list of texts")
    if len(keys) > MOST_KEYS:
        raise BadMessage(f"it has {len(keys):,} keys, of which {MOST_KEYS} are the most")
    if not all(isinstance(key, str) and 0 < len(key) <= LONGEST_KEY for key in keys):
        raise BadMessage("one of its keys is no text, or too long")
    return Wakes(queue, tuple(dict.fromkeys(keys)))


def traces_of(header: object, keys: Sequence[str]) -> Traces:
    """Those of the header that can be read; a trace is worth no message."""
    if not isinstance(header, dict):
        return {}
    read = {key: header[key] for key in keys if isinstance(header.get(key), dict)}
    return {
        key: trace
        for key, trace in read.items()
        if all(isinstance(part, str) for pair in trace.items() for part in pair)
    }

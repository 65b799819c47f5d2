"""What happened to a run, as its journal has it: an event for each fact."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from realms.journey.api import RunEvent, RunHistory
from realms.journey.engine.codec import CorruptFact, NewerEntry, plain

UNREADABLE = "unreadable"


def history(run_id: str, entries: Sequence[bytes], *, after: int, limit: int) -> RunHistory:
    """The events behind the one with number `after`; an entry that cannot be read is one too."""
    page = tuple(islice(_events(entries), after, after + limit + 1))
    more = page[limit - 1].number if len(page) > limit else 0
    return RunHistory(run_id=run_id, events=page[:limit], next_after=more)


def _events(entries: Sequence[bytes]) -> Iterator[RunEvent]:
    number = 0
    for entry, data in enumerate(entries):
        for fact in _facts(data):
            number += 1
            yield RunEvent(
                number=number,
                entry=entry,
                at=fact.pop("at", None),
                kind=fact.pop("kind"),
                milestone=fact.pop("path", ""),
                attempt=fact.pop("attempt", 0),
                principal=fact.pop("principal", ""),
                details={name: value for name, value in fact.items() if _says(value)},
            )


def _facts(data: bytes) -> list[dict[str, Any]]:
    try:
        return plain(data)
    except (CorruptFact, NewerEntry) as error:
        return [{"kind": UNREADABLE, "why": error.detail}]


def _says(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], {})

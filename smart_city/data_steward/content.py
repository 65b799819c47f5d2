"""What of a file's content the data policy is asked about, and what it found in it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from smart_city.data_steward.api import ContentFinding, ContentSeen
from smart_city.data_steward.sensing import Column, Senses

_MOST_PASSAGES = 20
"""So many passages are named of each finding; all are counted."""


def columns_of(table: Mapping[str, Any]) -> list[Column]:
    """The columns of a table's profile, with such values as it shows: see `TableProfile`."""
    columns = table["columns"]
    values: list[list[Any]] = [
        [
            *(row[at] for row in table["sample"] if at < len(row)),
            *(one["value"] for one in column.get("most_frequent", [])),
            column.get("minimum"),
            column.get("maximum"),
        ]
        for at, column in enumerate(columns)
    ]
    return [
        Column(str(table["name"]), str(column["name"]), str(column["type"]), _texts(of_it))
        for column, of_it in zip(columns, values, strict=True)
    ]


def facts_of(facts: Iterable[Mapping[str, Any]]) -> dict[str, list[Column]]:
    """The same of `ColumnFacts`, by table."""
    found: dict[str, list[Column]] = {}
    for one in facts:
        values = _texts([one.get("minimum"), one.get("maximum")])
        column = Column(str(one["table"]), str(one["name"]), str(one["type"]), values)
        found.setdefault(column.table, []).append(column)
    return found


def found_in(content: ContentSeen, senses: Senses) -> tuple[ContentFinding, ...]:
    """What the detectors find in the tables and passages of a file."""
    return (*_in_tables(content, senses), *_in_passages(content, senses))


def _in_tables(content: ContentSeen, senses: Senses) -> Iterator[ContentFinding]:
    for table in content.tables:
        columns = columns_of(table.model_dump(mode="json"))
        for column, detectors in senses.columns(columns).items():
            for detector in detectors:
                yield ContentFinding(
                    data_class=senses.classes[detector],
                    detector=detector,
                    table=table.name,
                    column=column,
                )


def _in_passages(content: ContentSeen, senses: Senses) -> Iterator[ContentFinding]:
    counts: dict[str, int] = {}
    passages: dict[str, list[int]] = {}
    for passage in content.passages:
        for hit in senses.hits(passage.text):
            counts[hit.detector] = counts.get(hit.detector, 0) + 1
            told = passages.setdefault(hit.detector, [])
            if len(told) < _MOST_PASSAGES and (not told or told[-1] != passage.number):
                told.append(passage.number)
    for detector, count in counts.items():
        yield ContentFinding(
            data_class=senses.classes[detector],
            detector=detector,
            passages=tuple(passages[detector]),
            count=count,
        )


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(value) for value in values if value not in {None, ""}))

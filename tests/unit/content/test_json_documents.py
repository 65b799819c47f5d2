"""JSON becomes tables where it holds records, and text where it does not."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.media_types import detect
from foundations.public_works.parsing import json_documents
from foundations.public_works.parsing.faults import (
    ColumnLimit,
    FieldLimit,
    NoData,
    TooDeep,
    UnreadableFile,
)
from foundations.public_works.parsing.json_documents import document
from foundations.public_works.parsing.models import DEFAULT, ParseOptions
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.sources import Source


class Reader:
    """Reads what it is given, and keeps the warnings."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "upload"
        self.notes = Notes()

    def read(self, data: str | bytes, name: str = "t.json", options: ParseOptions = DEFAULT) -> Any:
        self._path.write_bytes(data if isinstance(data, bytes) else data.encode())
        media = detect(self._path, name)
        return document(self._path, "t", media=media, options=options, notes=self.notes)

    def rows(self, value: object) -> list[dict[str, Any]]:
        source = self.read(json.dumps(value))
        assert isinstance(source, Source)
        rows: list[dict[str, Any]] = source.tables[0].frame.to_dicts()
        return rows


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        ([{"a": 1}, {"a": 2, "b": "x"}], [{"a": 1, "b": None}, {"a": 2, "b": "x"}]),
        ([{"a": True}, {"a": None}], [{"a": True}, {"a": None}]),
        ([{"a": 1}, {"a": 2.5}], [{"a": 1.0}, {"a": 2.5}]),
        ([{"a": 1}, {"a": "x"}], [{"a": "1"}, {"a": "x"}]),
        ([{"a": 2**63}, {"a": 1}], [{"a": 2.0**63}, {"a": 1.0}]),
        ([{"a": " "}, {"a": "x"}], [{"a": None}, {"a": "x"}]),
        ([{"a": {"b": {"c": {"d": 1}}}}], [{"a.b.c": '{"d":1}'}]),
        ([{"a": [1, 2], "b": {}}], [{"a": "[1,2]", "b": "{}"}]),
        ([{"day": "2024-01-01"}], [{"day": dt.date(2024, 1, 1)}]),
        ([3, 1, 2], [{"value": 3}, {"value": 1}, {"value": 2}]),
        ([{"a": True}, {"a": 1}], [{"a": "true"}, {"a": "1"}]),
    ],
)
def test_records_become_rows(reader: Reader, value: object, rows: list[dict[str, Any]]) -> None:
    assert reader.rows(value) == rows


def test_every_list_of_records_of_an_object_is_a_table(reader: Reader) -> None:
    source = reader.read('{"of": "x", "a": [{"n": 1}], "b": [{"m": 2}], "c": [], "d": [[1]]}')

    assert [table.name for table in source.tables] == ["a", "b"]
    assert source.metadata == {"of": "x"}


def test_one_object_a_line_is_a_table(reader: Reader) -> None:
    source = reader.read('{"a": 1}\n\n{"a": \n{"a": 3}\n', "t.jsonl")

    assert source.tables[0].frame["a"].to_list() == [1, 3]
    assert [warning.line for warning in reader.notes.warnings()] == [3]


def test_lines_that_are_all_broken_are_refused(reader: Reader) -> None:
    with pytest.raises(UnreadableFile, match="line 1"):
        reader.read('{"a": x}\n{"a": y}\n', "t.jsonl")


def test_what_is_no_table_is_text(reader: Reader) -> None:
    source = reader.read('{"name": "gauge", "at": {"x": 1, "of": [{"y": 2}]}, "has": ["a", "b"]}')

    assert (source.kind, source.tables) == ("text", [])
    assert [(section.place.label, section.text) for section in source.sections] == [
        ("name", "name: gauge"),
        ("at", "at.x: 1\nat.of[1].y: 2"),
        ("has", "has: a, b"),
    ]


def test_nested_lists_are_text(reader: Reader) -> None:
    source = reader.read("[[1, 2], [3]]")

    assert [section.text for section in source.sections] == ["[1]: 1, 2\n[2]: 3"]


@pytest.mark.parametrize("data", ["[]", "{}", ' {"a": [}'])
def test_document_with_nothing_to_read_is_refused(reader: Reader, data: str) -> None:
    with pytest.raises((NoData, UnreadableFile)):
        reader.read(data)


def test_broken_json_says_where(reader: Reader) -> None:
    with pytest.raises(UnreadableFile, match="line 2, column 7"):
        reader.read('{"a": 1,\n "b": }')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(reader: Reader, number: str) -> None:
    with pytest.raises(UnreadableFile):
        reader.read(f'[{{"a": {number}}}]')


@pytest.mark.parametrize("depth", [65, 100_000])
def test_nesting_too_deep_is_refused(reader: Reader, depth: int) -> None:
    with pytest.raises(TooDeep):
        reader.read("[" * depth + "1" + "]" * depth)


def test_nesting_within_the_limit_is_read(reader: Reader) -> None:
    assert reader.read("[" * 64 + "1" + "]" * 64).kind == "text"


def test_text_too_long_is_refused(reader: Reader) -> None:
    with pytest.raises(FieldLimit):
        reader.read(json.dumps([{"a": "x" * 1_000_001}]))


def test_too_many_columns_are_refused(reader: Reader) -> None:
    with pytest.raises(ColumnLimit):
        reader.read(json.dumps([{str(n): n for n in range(5_000)}]))


def test_rows_beyond_the_cap_are_told(reader: Reader) -> None:
    source = reader.read('[{"a": 1}, {"a": 2}]', options=ParseOptions(max_rows=1))

    assert source.tables[0].truncated
    assert [warning.detail for warning in reader.notes.warnings()] == [
        "only the first 1 rows of t were read"
    ]


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b'{"a": "\x81"}')

    with pytest.raises(UnreadableFile, match="no utf-8 text"):
        json_documents._decoded(path, "utf-8")


def test_a_bare_value_is_text(reader: Reader) -> None:
    assert [s.text for s in json_documents._sections("alone")] == ["alone"]


def test_what_stands_beside_tables_is_text(reader: Reader) -> None:
    value = {
        "title": "Works",
        "address": {"city": "Ulm", "codes": [1, 2]},
        "orders": [{"id": 1}, {"id": 2}],
        "meta": {"rows": [{"x": 1}, {"x": 2}, {"x": 3}], "by": "hand"},
    }

    source = reader.read(json.dumps(value))

    assert [table.name for table in source.tables] == ["orders", "meta.rows"]
    assert [(str(one.place), one.text) for one in source.sections] == [
        ("title", "title: Works"),
        ("address", "address.city: Ulm\naddress.codes: 1, 2"),
        ("meta", "meta.by: hand"),
    ]

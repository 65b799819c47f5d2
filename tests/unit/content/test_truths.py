"""Every file of tests/data is read, and what is known of it is what is found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.parsing.artifacts import PASSAGES, read_passages
from foundations.public_works.parsing.models import (
    DEFAULT,
    ParseResult,
    Passage,
    TableProfile,
)
from foundations.public_works.parsing.passages import sentences
from foundations.public_works.parsing.reading import read
from tests.data.making.__main__ import everything
from tests.support.data_files import DATA, data_files, readable_files, truth_of
from utilities.errors import PlatformError

Check = Callable[[Any, ParseResult, list[Passage]], None]


@pytest.mark.parametrize("name", readable_files())
def test_what_is_known_of_a_file_is_found_in_it(tmp_path: Path, name: str) -> None:
    truth = truth_of(name)

    parsed = read(DATA / name, tmp_path, name=name, options=DEFAULT)

    passages = read_passages(tmp_path / PASSAGES)
    for what, known in truth.items():
        _CHECKS[what](known, parsed, passages)


@pytest.mark.parametrize("name", [n for n in data_files() if n not in readable_files()])
def test_u26_file_that_cannot_be_read_says_why(tmp_path: Path, name: str) -> None:
    with pytest.raises(PlatformError) as caught:
        read(DATA / name, tmp_path, name=name, options=DEFAULT)

    assert caught.value.code == truth_of(name)["fault"]
    assert caught.value.hint


def test_there_is_a_truth_for_each_file_and_a_file_for_each_truth() -> None:
    truths = {path.name.removesuffix(".json") for path in (DATA / "truths").iterdir()}

    assert truths == set(data_files())
    assert len(truths) >= 40


@pytest.mark.parametrize(("name", "made"), sorted(everything(plain=True).items()))
def test_scripts_make_the_files_that_are_there(name: str, made: Any) -> None:
    assert (DATA / name).read_bytes() == made.data


# --- what each truth means -----------------------------------------------------------------------


def _tables(known: list[dict[str, Any]], parsed: ParseResult, _: list[Passage]) -> None:
    assert [table.name for table in parsed.tables] == [one["name"] for one in known]
    for table, one in zip(parsed.tables, known, strict=True):
        _table(one, table)


def _table(known: dict[str, Any], table: TableProfile) -> None:
    assert (table.place, table.row_count) == (known["place"], known["rows"])
    assert {column.name: column.type.value for column in table.columns} == known["types"]
    columns = {column.name: column for column in table.columns}
    for name, facts in known["columns"].items():
        for fact, value in facts.items():
            found = getattr(columns[name], fact)
            assert _same(found, value), (name, fact, found, value)


def _same(found: Any, value: Any) -> bool:
    if isinstance(value, float):
        return bool(found == pytest.approx(value))
    return bool(found == value or str(found) == str(value))


def _passages(known: list[dict[str, str]], _: ParseResult, passages: list[Passage]) -> None:
    for one in known:
        texts = [passage.text for passage in passages if passage.place.label == one["place"]]
        assert texts, (one["place"], [passage.place.label for passage in passages][:20])
        flat = " ".join(" ".join(texts).split())
        assert " ".join(one["contains"].split()) in flat


def _warnings(known: list[str], parsed: ParseResult, _: list[Passage]) -> None:
    assert {warning.code for warning in parsed.warnings} == set(known)


def _notes(known: list[str], parsed: ParseResult, _: list[Passage]) -> None:
    told = " ".join(warning.detail for warning in parsed.warnings)
    assert all(note in told for note in known)


def _properties(known: dict[str, Any], parsed: ParseResult, _: list[Passage]) -> None:
    found = parsed.properties.model_dump(mode="json")
    assert {name: found[name] for name in known} == known


def _metadata(known: dict[str, Any], parsed: ParseResult, _: list[Passage]) -> None:
    assert {name: parsed.metadata.get(name) for name in known} == known


def _files(known: dict[str, str], parsed: ParseResult, _: list[Passage]) -> None:
    assert {file.name: file.problem for file in parsed.files} == known


def _sentences(known: int, _: ParseResult, passages: list[Passage]) -> None:
    found = [sentence for passage in passages for sentence in sentences(passage.text)]
    assert len(found) == known, found


def _absent(known: list[str], _: ParseResult, passages: list[Passage]) -> None:
    told = " ".join(passage.text for passage in passages)
    assert not any(text in told for text in known)


def _places(known: list[str], _: ParseResult, passages: list[Passage]) -> None:
    assert list(dict.fromkeys(passage.place.label for passage in passages)) == known


def _duplicates(known: int, parsed: ParseResult, _: list[Passage]) -> None:
    assert sum(table.duplicate_rows for table in parsed.tables) == known


def _equal(attribute: str) -> Check:
    def check(known: Any, parsed: ParseResult, _: list[Passage]) -> None:
        assert getattr(parsed, attribute) == known

    return check


def _table_rows(known: list[int], parsed: ParseResult, _: list[Passage]) -> None:
    assert [table.row_count for table in parsed.tables] == known


_CHECKS: dict[str, Check] = {
    "kind": _equal("kind"),
    "media_type": _equal("media_type"),
    "encoding": _equal("encoding"),
    "words": _equal("word_count"),
    "tables": _tables,
    "table_rows": _table_rows,
    "passages": _passages,
    "warnings": _warnings,
    "notes": _notes,
    "properties": _properties,
    "metadata": _metadata,
    "files": _files,
    "sentences": _sentences,
    "absent": _absent,
    "places": _places,
    "duplicate_rows": _duplicates,
}

"""The child's own code, run in this process."""

import json
import os
import resource
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from foundations.public_works.parsing import child, faults, frames, reading
from foundations.public_works.parsing.artifacts import PASSAGES, read_passages
from foundations.public_works.parsing.faults import NoData, NoText, ParserCrashed
from foundations.public_works.parsing.models import (
    DEFAULT,
    ColumnProfile,
    ColumnType,
    ParseOptions,
    ParseResult,
    TableProfile,
)
from foundations.public_works.parsing.reading import fitted, read
from tests.support import hostile_files as hostile

DATA = Path(__file__).parents[2] / "data"
LIMITS = {"cpu_seconds": 10, "memory_bytes": 2**31, "file_bytes": 2**30}


def asked(path: Path, folder: Path) -> dict[str, Any]:
    return {
        "work": "parse",
        "path": str(path),
        "output": str(folder),
        "name": path.name,
        "options": {},
        "limits": LIMITS,
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("weather.csv", "table"),
        ("planets.xlsx", "table"),
        ("elements.json", "table"),
        ("settings.json", "text"),
        ("declaration.pdf", "text"),
        ("annual-report.docx", "text"),
        ("gettysburg.txt", "text"),
        ("rain-gauge.md", "text"),
    ],
)
def test_every_kind_of_file_is_read_and_understood(tmp_path: Path, name: str, kind: str) -> None:
    answer = child.perform(asked(DATA / name, tmp_path))

    parsed = ParseResult.model_validate(answer["result"])
    assert (parsed.kind, parsed.name) == (kind, name)
    assert len(read_passages(tmp_path / PASSAGES)) == parsed.passage_count > 0

    artifacts = {artifact: str(tmp_path / artifact) for artifact in parsed.artifacts}
    found = child.perform(
        {"work": "find_insights", "parsed": answer["result"], "artifacts": artifacts}
    )
    assert found["result"]["insights"][0]["kind"] == "overview"
    json.dumps(found, allow_nan=False)


def test_fault_is_answered_as_a_message(tmp_path: Path) -> None:
    message = child.perform(asked(DATA / "scanned.pdf", tmp_path))

    fault = faults.from_message(message)
    assert isinstance(fault, NoText)
    assert (fault.detail, fault.hint) == (message["detail"], message["hint"])


def test_fault_of_no_known_class_is_a_crash() -> None:
    assert isinstance(faults.from_message({"fault": "Sudden"}), ParserCrashed)


class Talk:
    """Stands in for the child's socket: what it is asked, one after the other, and its answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.collected = 0

    def collect(self) -> int:
        """Not of this process, which may hold the garbage of tests before."""
        self.collected += 1
        return 0

    def receive(self, _: int) -> bytes | None:
        return json.dumps(self.asked.pop(0)).encode() if self.asked else None

    def send(self, _: int, message: bytes) -> None:
        self.answers.append(json.loads(message))


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> Talk:
    made = Talk()
    monkeypatch.setattr(os, "dup", lambda _: -1)
    monkeypatch.setattr(os, "dup2", lambda *_: 1)
    monkeypatch.setattr(child, "limit", lambda _: None)
    monkeypatch.setattr(child, "_private_bytes", lambda: 0)
    monkeypatch.setattr(child, "gc", made)
    monkeypatch.setattr(frames, "receive", made.receive)
    monkeypatch.setattr(frames, "send", made.send)
    return made


def test_child_goes_on_after_a_text_until_nobody_asks(talk: Talk, tmp_path: Path) -> None:
    talk.asked = [asked(DATA / "rain-gauge.md", tmp_path), asked(DATA / "weather.csv", tmp_path)]

    assert child.main() == 0

    assert [answer["result"]["kind"] for answer in talk.answers] == ["text", "table"]
    assert [answer["again"] for answer in talk.answers] == [True, True]
    assert talk.collected == 2


@pytest.mark.parametrize("name", ["declaration.pdf", "annual-report.docx", "scanned.pdf"])
def test_child_ends_with_a_file_that_a_foreign_parser_read(
    talk: Talk, tmp_path: Path, name: str
) -> None:
    talk.asked = [asked(DATA / name, tmp_path), asked(DATA / "rain-gauge.md", tmp_path)]

    assert child.main() == 0

    (answer,) = talk.answers
    assert not answer["again"]


def test_child_ends_when_it_has_grown(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = iter([0, child.MOST_GROWTH - 1, child.MOST_GROWTH])
    monkeypatch.setattr(child, "_private_bytes", lambda: next(sizes))
    talk.asked = [asked(DATA / "rain-gauge.md", tmp_path)] * 3

    child.main()

    assert [answer["again"] for answer in talk.answers] == [True, False]


def test_child_ends_after_its_last_request(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "MOST_REQUESTS", 2)
    talk.asked = [asked(DATA / "rain-gauge.md", tmp_path)] * 3

    child.main()

    assert [answer["again"] for answer in talk.answers] == [True, False]


def test_growth_is_what_the_limit_of_memory_counts() -> None:
    before = child._private_bytes()
    held = bytearray(64 * 2**20)

    assert child._private_bytes() - before >= len(held)


def test_frames_come_out_as_they_went_in() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for message in (b"", b"short", b"x" * 100_000):
            sending = threading.Thread(target=frames.send, args=(ours.fileno(), message))
            sending.start()
            assert frames.receive(theirs.fileno()) == message
            sending.join()
        ours.close()
        assert frames.receive(theirs.fileno()) is None


def test_main_without_memory_ends_with_its_own_code(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise MemoryError

    monkeypatch.setitem(child._WORK, "parse", full)
    talk.asked = [asked(DATA / "rain-gauge.md", tmp_path)]

    assert child.main() == 86
    assert not talk.answers


def test_limits_are_lowered_and_never_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {
        resource.RLIMIT_CPU: (100, 5),
        resource.RLIMIT_DATA: (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    }
    made: dict[int, tuple[int, int]] = {}
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda what: now.get(what, unlimited))
    monkeypatch.setattr(resource, "setrlimit", made.__setitem__)

    child.limit(LIMITS)

    assert made == {
        resource.RLIMIT_CPU: (5, 5),
        resource.RLIMIT_DATA: (2**31, 2**31),
        resource.RLIMIT_FSIZE: (2**30, 2**30),
        resource.RLIMIT_CORE: (0, 0),
    }


def test_encoding_can_be_stated(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("a,b\nж,1\n".encode("cp1251"))

    result = read(path, tmp_path, name="t.csv", options=ParseOptions(encoding="cp1251"))

    assert result.tables[0].sample == (("ж", 1),)


@pytest.mark.parametrize("encoding", ["martian", "base64", "undefined"])
def test_encoding_nobody_knows_is_refused(encoding: str) -> None:
    with pytest.raises(ValidationError, match="no known encoding"):
        ParseOptions(encoding=encoding)


def test_workbook_of_empty_sheets_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(hostile.xlsx(b"<sheetData/>"))

    with pytest.raises(NoData):
        read(path, tmp_path, name="t.xlsx", options=DEFAULT)


def test_result_too_big_to_journal_loses_samples_first() -> None:
    column = ColumnProfile(name="c" * 150, type=ColumnType.TEXT, missing=0, distinct=1)
    table = TableProfile(
        name="t",
        row_count=5,
        column_count=100,
        columns=(column,) * 100,
        sample=(("x" * 80,) * 30,) * 5,
        artifact="a",
    )
    result = ParseResult(kind="table", name="t", media_type="text/csv", tables=(table,) * 5)

    smaller = fitted(result)

    assert len(smaller.model_dump_json()) <= reading.MAX_JOURNALLED
    assert smaller.tables[0].sample == ()
    assert smaller.tables[0].column_count == 100


def test_metadata_stays_a_handful_of_lines() -> None:
    kept = reading._small({f"{n}": "x" * 1_000 for n in range(100)} | {"0": 1})

    assert len(kept) == 40
    assert kept["0"] == 1
    assert kept["1"] == "x" * 300

"""Strict YAML: what is read as written, what is refused, and how quickly."""

import time
from typing import Any

import pytest

from utilities.strict_yaml import (
    MAX_DEPTH,
    MAX_NODES,
    Entries,
    Items,
    Mark,
    NotWritten,
    Text,
    UnreadableYaml,
    constant,
    read_yaml,
)


def plain(text: str) -> Text:
    return Text(Mark(1, 1), text, plain=True)


def test_every_key_and_value_knows_its_place() -> None:
    root = read_yaml("name: x\nlist:\n  - a\n  - {b: c}\n")

    assert isinstance(root, Entries)
    listed = root.entry("list")
    assert listed is not None
    assert listed.key.mark == Mark(2, 1)
    assert isinstance(listed.value, Items)
    assert [str(item.mark) for item in listed.value.items] == ["3:5", "4:5"]
    assert root.entry("nothing") is None


@pytest.mark.parametrize("text", ["no", "on", "yes", "off", "y", "12:30:45", "2026-01-01", "1_000"])
def test_words_that_older_yaml_converts_stay_text(text: str) -> None:
    assert constant(plain(text)) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("False", False), ("~", None), ("null", None), ("7", 7), ("-1.5", -1.5)],
)
def test_json_values_are_read(text: str, value: Any) -> None:
    assert constant(plain(text)) == value
    assert constant(Text(Mark(1, 1), text, plain=False)) == text


@pytest.mark.parametrize(
    "text", ["1.10", "0777", "1e3", "0x1F", "0o17", "+1", ".5", ".inf", "-.INF", ".nan", "1e400"]
)
def test_a_number_that_would_change_is_refused(text: str) -> None:
    with pytest.raises(NotWritten):
        constant(plain(text))


@pytest.mark.parametrize("digits", [20, 5_000])
def test_a_number_beyond_64_bits_is_refused(digits: int) -> None:
    with pytest.raises(NotWritten, match="64 bits"):
        constant(plain("9" * digits))


@pytest.mark.parametrize(
    "source",
    [
        "a: &a {x: 1}\n" + "".join(f"b{i}: &b{i} {{<<: [*a, *a, *a]}}\n" for i in range(20)),
        "[" * 500,
        "{a: " * 500,
        "a: " + "x" * 10_000_000,
        "milestones:\n" + "  - {milestone_id: a}\n" * 400_000,
        "- a\n" * 60_000,
        b"\xff\xfe" + b"a\x00" * 100,
    ],
    ids=["merge-bomb", "lists", "maps", "long-scalar", "long-file", "many-values", "utf-16"],
)
def test_a_bomb_is_refused_at_once(source: str | bytes) -> None:
    begun = time.process_time()
    with pytest.raises(UnreadableYaml):
        read_yaml(source)
    assert time.process_time() - begun < 2


def test_the_caps_are_exact() -> None:
    assert isinstance(read_yaml("[" * MAX_DEPTH + "a" + "]" * MAX_DEPTH), Items)
    with pytest.raises(UnreadableYaml, match="too_deep"):
        read_yaml("[" * (MAX_DEPTH + 1) + "a" + "]" * (MAX_DEPTH + 1))
    assert isinstance(read_yaml("- a\n" * (MAX_NODES - 1)), Items)
    with pytest.raises(UnreadableYaml, match="more than 20,000 values"):
        read_yaml("- a\n" * MAX_NODES)


def test_letters_beyond_ascii_count_for_the_bytes_they_take() -> None:
    with pytest.raises(UnreadableYaml, match="bytes"):
        read_yaml("a: " + "ä" * 140_000)


def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(UnreadableYaml, match="UTF-8"):
        read_yaml("a: \ud800")


def test_all_duplicates_are_found() -> None:
    with pytest.raises(UnreadableYaml) as refused:
        read_yaml("a: 1\na: 2\nb: {c: 1, c: 2}\n")

    assert [str(fault.mark) for fault in refused.value.faults] == ["2:1", "3:11"]
    assert refused.value.errors[0].pointer == "/2:1"

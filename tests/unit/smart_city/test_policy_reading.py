"""A data policy is read strictly, and every fault in it is told at once, where it is."""

from pathlib import Path

import pytest

from smart_city.data_steward.api import DataTrack
from smart_city.data_steward.policy_reading import (
    SHIPPED,
    FaultyDataPolicy,
    UnreadableDataPolicy,
    policy_from,
    read_policy,
)
from smart_city.data_steward.sensing import Senses

GOOD = """\
data_policy: ours
version: "7"
tracks:
  client: {kinds: supported, most_bytes: 10, classification: internal, retention_days: 30}
  platform: {kinds: [text/csv], most_bytes: 10, classification: internal, retention_days: 30}
classes:
  badge:
    classification: restricted
    may_see: [guard]
    retention_days: 7
detect:
  - {name: badge_number, class: badge, pattern: "B-[0-9]{4}"}
"""
CLIENT = GOOD.splitlines(keepends=True)[3]


def faults_of(text: str) -> list[str]:
    with pytest.raises(FaultyDataPolicy) as refused:
        read_policy(text.encode(), file="p.yaml")
    return refused.value.detail.splitlines()


def test_the_policy_that_ships_is_sound() -> None:
    stated = policy_from(SHIPPED)

    assert stated.policy.data_policy == "default"
    assert {"contact", "identity", "financial"} <= set(stated.policy.classes)
    assert set(stated.policy.tracks) == set(DataTrack)


def test_version_tells_one_text_from_another() -> None:
    one = read_policy(GOOD.encode(), file="p.yaml").version
    other = read_policy(GOOD.replace("7\n", "8\n").encode(), file="p.yaml").version

    assert one.startswith("7+")
    assert one != other


def test_own_pattern_finds_whole_words() -> None:
    senses = Senses.of(read_policy(GOOD.encode(), file="p.yaml").policy)
    text = "Badge B-1234, not XB-1234 nor B-12345."

    assert [text[hit.start : hit.end] for hit in senses.hits(text)] == ["B-1234"]


@pytest.mark.parametrize(
    ("was", "wrong", "said"),
    [
        ("class: badge", "class: bagde",
         'p.yaml:12:26  detect[0].class  "bagde" is no class of data. Did you mean "badge"?'),
        ("retention_days: 7", "retention_day: 7",
         ('p.yaml:10:5  classes.badge.retention_day  "retention_day" is no word of this file. '
         'Did you mean "retention_days"?')),
        ("may_see: [guard]", "may_see: []", "p.yaml:9:5  classes.badge.may_see  must not be empty"),
        ("most_bytes: 10", "most_bytes: ten",
         "p.yaml:4:30  tracks.client.most_bytes  must be a whole number"),
        ("most_bytes: 10", "most_bytes: 0",
         "p.yaml:4:30  tracks.client.most_bytes  Input should be greater than or equal to 1"),
        ('"7"', "7", "p.yaml:2:1  version  must be text; a number stands in quotes to be text"),
        ('"B-[0-9]{4}"', '"(?=B)"',
         ("p.yaml:12:40  detect[0].pattern  is no pattern of linear time: it has no look-around "
         "and no back references")),
        ('pattern: "B-[0-9]{4}"', "finds: mail_adress",
         ('p.yaml:12:40  detect[0].finds  "mail_adress" is no finder. '
         'Did you mean "mail_address"?')),
        (', pattern: "B-[0-9]{4}"', "",
         ('p.yaml:12:5  detect[0]  one of "finds", "pattern" and "columns" has to say what is '
         "detected")),
        ('pattern: "B-[0-9]{4}"', "finds: iban, pattern: x",
         'p.yaml:12:5  detect[0]  "finds" and "pattern" exclude each other'),
        ('"B-[0-9]{4}"', "B, beside: [badge_numbr]",
         ('p.yaml:12:61  detect[0].beside[0]  "badge_numbr" is no detector. '
         'Did you mean "badge_number"?')),
        ("classes:", "classes: &a",
         "p.yaml:6:10  yaml  &a is an anchor; write the value where it is used"),
        (CLIENT, "", 'p.yaml:3:1  tracks  "client" is missing'),
    ],
)  # fmt: skip
def test_fault_tells_place_and_remedy(was: str, wrong: str, said: str) -> None:
    assert said in faults_of(GOOD.replace(was, wrong))


def test_all_faults_are_told_at_once() -> None:
    told = faults_of(
        GOOD.replace("class: badge", "class: x").replace('pattern: "B-[0-9]{4}"', "finds: y")
    )

    assert len(told) == 2


def test_two_detectors_of_one_name() -> None:
    told = faults_of(GOOD + '  - {name: badge_number, class: badge, pattern: "C"}\n')

    assert told == ['p.yaml:13:6  detect[1].name  "badge_number" is the name of two detectors']


@pytest.mark.parametrize("text", ["", "# nothing", "- a", "a: &x 1", "data_policy: *x", "\t", "7"])
def test_what_is_no_policy_is_refused(text: str) -> None:
    assert faults_of(text)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDataPolicy, match="No such file"):
        policy_from(tmp_path / "none.yaml")

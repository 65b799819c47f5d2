"""The pure parts of the stewards: classification, rules of access, fusion, snippets."""

import pytest

from foundations.declarations import Effect
from smart_city.data_steward.api import Classification, DataTrack
from smart_city.data_steward.policy_reading import SHIPPED, policy_from
from smart_city.librarian.api import FoundBy
from smart_city.librarian.records import FoundPassage
from smart_city.librarian.searching import fuse, snippet
from smart_city.security_guard.access import RULES
from smart_city.security_guard.api import Access
from utilities.context import UserContext


@pytest.mark.parametrize(
    ("name", "classification"),
    [
        ("rain.csv", Classification.CONFIDENTIAL),
        ("salaries-2026.csv", Classification.RESTRICTED),
        ("Payroll.xlsx", Classification.RESTRICTED),
        ("patient list.csv", Classification.RESTRICTED),
        ("impatient.csv", Classification.CONFIDENTIAL),
        ("libanon.csv", Classification.CONFIDENTIAL),
    ],
)
def test_client_file_is_classified_by_its_name(name: str, classification: Classification) -> None:
    policy = policy_from(SHIPPED).policy

    assert policy.classify(DataTrack.CLIENT, name, frozenset()) is classification
    assert policy.classify(DataTrack.PLATFORM, name, frozenset()) is Classification.INTERNAL


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("roles", [(), ("reader",), ("member",), ("owner",)])
def test_first_rule_that_applies_decides(
    public: bool, inside: bool, effect: Effect, roles: tuple[str, ...]
) -> None:
    access = Access(service="A", api="b", public=public, effect=effect, inside=inside)
    user = UserContext(tenant="north", principal="first", roles=roles)

    rule = next(rule for rule in RULES if rule.applies(access, user))

    reachable = public or inside
    may = effect is Effect.PURE or bool({"member", "owner"} & set(roles))
    assert (rule.refusal is None) == (reachable and may)


def passage(number: int, text: str = "text") -> FoundPassage:
    return FoundPassage("file-1", number, "a.txt", f"line {number}", text)


def test_fusion_adds_what_both_lists_give_by_rank() -> None:
    lists = {
        FoundBy.WORDS: [passage(1), passage(2)],
        FoundBy.MEANING: [passage(2), passage(3)],
    }

    hits = fuse(lists, [])

    assert [hit.place for hit in hits] == ["line 2", "line 1", "line 3"]
    assert hits[0].score == pytest.approx(1 / 62 + 1 / 61, abs=1e-6)
    assert hits[1].score == pytest.approx(1 / 61, abs=1e-6)
    assert hits[0].found_by == (FoundBy.WORDS, FoundBy.MEANING)


def test_equal_hits_always_come_in_the_same_order() -> None:
    one = fuse({FoundBy.WORDS: [passage(2)], FoundBy.MEANING: [passage(1)]}, [])
    other = fuse({FoundBy.MEANING: [passage(1)], FoundBy.WORDS: [passage(2)]}, [])

    assert [hit.place for hit in one] == [hit.place for hit in other] == ["line 1", "line 2"]


def test_short_passage_is_its_own_snippet_on_one_line() -> None:
    assert snippet("two\n  lines", ["lines"]) == "two lines"


def test_snippet_of_a_long_passage_shows_the_word_in_the_middle() -> None:
    text = "a " * 500 + "Needle" + " z" * 500

    shown = snippet(text, ["a", "needle"])

    assert "Needle" in shown
    assert shown.startswith("…a")
    assert shown.endswith("z…")
    assert len(shown) <= 242


def test_snippet_without_the_word_begins_at_the_beginning() -> None:
    shown = snippet("start " + "word " * 200, ["absent"])

    assert shown.startswith("start")
    assert shown.endswith("…")


def test_snippet_of_a_word_at_the_end_is_whole() -> None:
    assert snippet("word " * 200 + "end", ["end"]).endswith("end")

"""The pure parts of the stewards: classification, rules of access, fusion, snippets."""

import pytest

from foundations.declarations import Effect
from foundations.public_works.parsing.places import Place
from smart_city.data_steward.api import Classification, DataTrack
from smart_city.data_steward.policy_reading import SHIPPED, policy_from
from smart_city.librarian.api import FoundBy
from smart_city.librarian.evidence import SHOWN, evidence
from smart_city.librarian.records import FoundPassage
from smart_city.librarian.searching import fuse, words_asked
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
    return FoundPassage("file-1", number, "a.txt", Place.read(f"line {number}"), text)


def test_fusion_adds_what_both_lists_give_by_rank() -> None:
    lists = {
        FoundBy.WORDS: [passage(1), passage(2)],
        FoundBy.MEANING: [passage(2), passage(3)],
    }

    hits = fuse(lists)

    assert [hit.passage.place.label for hit in hits] == ["line 2", "line 1", "line 3"]
    assert hits[0].score == pytest.approx(1 / 12 + 1 / 11, abs=1e-6)
    assert hits[1].score == pytest.approx(1 / 11, abs=1e-6)
    assert hits[0].found_by == (FoundBy.WORDS, FoundBy.MEANING)


def test_equal_hits_always_come_in_the_same_order() -> None:
    one = fuse({FoundBy.WORDS: [passage(2)], FoundBy.MEANING: [passage(1)]})
    other = fuse({FoundBy.MEANING: [passage(1)], FoundBy.WORDS: [passage(2)]})

    assert (
        [hit.passage.place.label for hit in one]
        == [hit.passage.place.label for hit in other]
        == ["line 1", "line 2"]
    )


def shown(text: str, *words: str) -> tuple[str, list[str]]:
    """The snippet of a passage, and what is marked in it."""
    ((snippet, spans),) = evidence([text], words)
    return snippet, [snippet[span.start : span.end] for span in spans]


def test_short_passage_is_its_own_snippet_on_one_line() -> None:
    assert shown("two\n  lines", "lines") == ("two lines", ["lines"])


def test_words_are_marked_as_the_index_compares_them() -> None:
    snippet, marked = shown("Créme, cafés and CAFE; a cafeteria.", "café", "creme")

    assert marked == ["Créme", "cafés", "CAFE"]
    assert snippet == "Créme, cafés and CAFE; a cafeteria."


def test_snippet_of_a_long_passage_shows_the_part_with_most_of_the_words() -> None:
    text = "needle " + "a " * 500 + "Needle and thread" + " z" * 500

    snippet, marked = shown(text, "needle", "thread")

    assert marked == ["Needle", "thread"]
    assert snippet.startswith("…a")
    assert snippet.endswith("z…")
    assert len(snippet) <= SHOWN + 2


def test_snippet_without_the_word_begins_at_the_beginning() -> None:
    snippet, marked = shown("start " + "word " * 200, "absent")

    assert snippet.startswith("start")
    assert snippet.endswith("…")
    assert marked == []


def test_snippet_of_a_word_at_the_end_is_whole() -> None:
    assert shown("word " * 200 + "end", "end")[0].endswith("end")


def test_text_with_the_marks_of_the_index_in_it_is_marked_all_the_same() -> None:
    assert shown("a\x02b needle\x03", "needle") == ("a\x02b needle\x03", ["needle"])


def test_words_that_say_nothing_are_not_looked_for_unless_there_are_no_others() -> None:
    assert words_asked("How do I read the rain gauge?") == ["read", "rain", "gauge"]
    assert words_asked("who is it") == ["who", "is", "it"]

"""What texts name and state is found, and contradictions are told where there are some only."""

from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.parsing.artifacts import PASSAGES, read_passages
from foundations.public_works.parsing.insights.comparing import compare
from foundations.public_works.parsing.insights.finding import find
from foundations.public_works.parsing.insights.model import Insight
from foundations.public_works.parsing.insights.model import InsightKind as K
from foundations.public_works.parsing.insights.texts.entities import (
    EntityKind,
    entities,
)
from foundations.public_works.parsing.insights.texts.patterns import is_iban
from foundations.public_works.parsing.languages import language_of
from foundations.public_works.parsing.models import DEFAULT, KeyPhrase, SummarySentence
from foundations.public_works.parsing.reading import read
from tests.support.data_files import DATA
from tests.support.insights import text_file

LONG = "The old mill by the river was mended in spring, and its wheel turns again for all to see, "


def text_told(folder: Path, *texts: str, **facts: Any) -> list[Insight]:
    file = text_file(folder, "t.txt", *texts, **facts)
    return list(find(file.parsed, file.artifacts).insights)


def of_kind(found: list[Insight], kind: K) -> list[Insight]:
    return [insight for insight in found if insight.kind is kind]


def test_text_is_counted(tmp_path: Path) -> None:
    found = text_told(tmp_path, "One two three. Four five.", metadata={"page_count": 2})

    assert (
        found[0].sentence == "t.txt holds 5 words in 2 sentences on 2 pages, 2.5 words a sentence."
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The rain in the hills is what the river is made of, and it was so.", "English"),
        ("Der Regen in den Bergen ist es, aus dem der Fluss ist, und das seit Jahren.", "German"),
        ("La pluie dans les collines est ce dont la rivière est faite.", "French"),
        ("La lluvia en las colinas es de lo que se hace el río, y así es por los años.", "Spanish"),
        ("Кошки и мыши.", "Russian or another language in Cyrillic"),
        ("Qwerty uiop asdf ghjk zxcv bnmp lkjh gfds poiu.", ""),
        ("Too short.", ""),
    ],
)  # fmt: skip
def test_language_is_told_where_it_can_be(text: str, language: str) -> None:
    assert language_of([text]) == language


@pytest.mark.parametrize(
    ("text", "kind", "named", "value", "unit"),
    [
        ("It cost $1,250.50 then.", EntityKind.MONEY, "$1,250.50", 1250.5, "USD"),
        ("It cost 4.2 million euros.", EntityKind.MONEY, "4.2 million euros", 4.2e6, "EUR"),
        ("It cost EUR 300.", EntityKind.MONEY, "EUR 300", 300.0, "EUR"),
        ("Sie kostet 1.250 Euro.", EntityKind.MONEY, "1.250 Euro", 1250, "EUR"),
        ("Sie kostet 3.750,50 EUR.", EntityKind.MONEY, "3.750,50 EUR", 3750.5, "EUR"),
        ("Es waren 4,2 Mio. Euro.", EntityKind.MONEY, "4,2 Mio. Euro", 4.2e6, "EUR"),
        ("Soit 12,4 millions d'euros.", EntityKind.MONEY, "12,4 millions d'euros", 12.4e6, "EUR"),
        ("Soit 3 450,50 € par mois.", EntityKind.MONEY, "3 450,50 €", 3450.5, "EUR"),
        ("It cost CHF 1'250.50.", EntityKind.MONEY, "CHF 1'250.50", 1250.5, "CHF"),
        ("It cost $1.459 a litre.", EntityKind.MONEY, "$1.459", 1.459, "USD"),
        ("It is $2 million.", EntityKind.MONEY, "$2 million", 2e6, "USD"),
        ("Der Satz ist 3,5 %.", EntityKind.PERCENTAGE, "3,5 %", 3.5, "%"),
        ("It fell by 8 % then.", EntityKind.PERCENTAGE, "8 %", 8.0, "%"),
        ("The dam is 120 m high.", EntityKind.QUANTITY, "120 m", 120.0, "m"),
        ("It made $12m then.", EntityKind.MONEY, "$12m", 12e6, "USD"),
        ("A gust of 148 km/h came.", EntityKind.QUANTITY, "148 km/h", 148.0, "km/h"),
        ("Write to ann.lee@example.org today.", EntityKind.MAIL, "ann.lee@example.org", 0.0, ""),
        ("See https://example.org/a?b=c.", EntityKind.WEB, "https://example.org/a?b=c", 0.0, ""),
        ("On 3 March 2021, it came.", EntityKind.DATE, "3 March 2021", 0.0, ""),
        ("Since 2021-03-05 it is.", EntityKind.DATE, "2021-03-05", 0.0, ""),
        ("Invoice INV-2023-0117 is open.", EntityKind.IDENTIFIER, "INV-2023-0117", 0.0, ""),
        ("Pay to DE89 3704 0044 0532 0130 00 now.", EntityKind.IDENTIFIER,
         "DE89 3704 0044 0532 0130 00", 0.0, "IBAN"),
    ],
)  # fmt: skip
def test_what_a_text_names_is_found(
    text: str, kind: EntityKind, named: str, value: float, unit: str
) -> None:
    (found,) = [one for one in entities(text) if one.kind is kind]

    assert (found.text, found.value, found.unit) == (named, value, unit)
    assert text[found.start : found.end].strip() == named


def test_check_digits_tell_an_account_number() -> None:
    assert is_iban("GB82 WEST 1234 5698 7654 32")
    assert not is_iban("GB82 WEST 1234 5698 7654 33")
    assert not is_iban("GB82")


def test_amounts_are_quoted_with_their_sentence(tmp_path: Path) -> None:
    found = text_told(tmp_path, "It cost $1,250.50, 8 % less. Chapter 7 is short.", "No amount.")

    (figure,) = of_kind(found, K.FIGURE)
    assert figure.sentence == "It states $1,250.50, 8 %: “It cost $1,250.50, 8 % less.”"
    assert figure.figures == {"$1,250.50": 1250.5, "8 %": 8}
    assert figure.evidence.passages == (1,)


SHORT = "Please pay the invoice of EUR 1,250.00 for the repair of the old mill wheel by Friday."


@pytest.mark.parametrize("again", ["", "Note: EUR 1250.00."])
def test_amount_of_a_short_text_is_told_once(tmp_path: Path, again: str) -> None:
    found = text_told(
        tmp_path,
        f"{SHORT} {again}",
        summary=(SummarySentence(sentence=SHORT, passage=1),),
    )

    (told,) = [insight for insight in found if "1,250.00" in insight.sentence]
    assert told.kind is K.SUMMARY
    assert told.figures == {"sentences": 1, "EUR 1,250.00": 1250}
    assert of_kind(found, K.FIGURE) == []


def test_amounts_that_are_many_have_a_list(tmp_path: Path) -> None:
    found = text_told(tmp_path, "It cost $10. Then it cost $20. Then it cost $30, at last $40.")

    assert len(of_kind(found, K.FIGURE)) == 3
    (listed,) = of_kind(found, K.ENTITY)
    assert listed.sentence == "It names 4 amounts of money: $40, $30, $20 and $10."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("It began in 1951 and ended in 1999.", "It names the years from 1951 to 1999."),
        ("It began in 1951.", "It names the year 1951."),
    ],
)
def test_years_are_told(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in [insight.sentence for insight in text_told(tmp_path, text)]


@pytest.mark.parametrize("text", ["Call 1951-1234.", "It weighs 1,951 kg.", "At 1951.5 m it ends."])
def test_numbers_that_only_look_like_years_are_none(tmp_path: Path, text: str) -> None:
    assert not any("the year" in insight.sentence for insight in text_told(tmp_path, text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Revenue in 2023 reached 4.2 million euros.", "In 2023, revenue was 4.5 million euros."),
        ("The plant in Bonn has 250 employees.", "The Bonn plant has 270 employees."),
        ("The share of women was 31 % in 2020.", "In 2020, the share of women was 35 %."),
        ("Revenue rose to 4.2 million euros in 2023.", "Revenue in 2023 was 4.5 million euros."),
        ("Die Miete der Mühle beträgt 1.250 Euro.", "Die Miete der Mühle beträgt 1.350 Euro."),
    ],
)
def test_figures_that_cannot_both_be_are_told(tmp_path: Path, one: str, other: str) -> None:
    (insight,) = of_kind(text_told(tmp_path, one, "Other things.", other), K.CONTRADICTION)

    assert one in insight.sentence
    assert other in insight.sentence
    assert insight.evidence.passages == (1,)
    assert insight.further[0].passages == (3,)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Revenue in 2023 reached 4.2 million euros.", "Revenue in 2022 was 4.5 million euros."),
        ("Revenue in 2023 reached 4.2 million euros.", "Revenue in 2023 was 4,213,250 euros."),
        ("Revenue in 2023 reached 4.2 million euros.", "Costs in 2023 were 3.9 million euros."),
        ("Revenue rose by 3 million euros in 2023.", "Revenue in 2023 was 40 million euros."),
        ("The north plant made 400 tonnes.", "The south plant made 500 tonnes."),
        ("The plant in Bonn has about 250 employees.", "The Bonn plant has 270 employees."),
        ("The lowest reading was 3 mm.", "The highest reading was 30 mm."),
        ("Pump 1 delivers 30 litres a day.", "Pump 2 delivers 40 litres a day."),
        ("Version A of it weighs 3 kg.", "Version B of it weighs 4 kg."),
        ("Paid 215 USD on 2024-01-05 to Hill.", "Paid 342 USD on 2024-02-05 to Hill."),
        ("Order AB-10023 costs 45 EUR in all.", "Order AB-10024 costs 55 EUR in all."),
        ("Die Miete der Mühle beträgt 1.250 Euro.", "Die Miete der Mühle beträgt 1250 Euro."),
    ],
)
def test_figures_that_can_both_be_are_left_alone(tmp_path: Path, one: str, other: str) -> None:
    assert of_kind(text_told(tmp_path, one, other), K.CONTRADICTION) == []


def test_passages_that_come_again_are_told(tmp_path: Path) -> None:
    paragraph = LONG + "so that the flour of the village comes from the village once more."

    (insight,) = of_kind(text_told(tmp_path, paragraph, "Other.", paragraph), K.SIMILAR)

    assert insight.sentence.startswith("1 passage comes twice, word for word: “The old mill")
    assert insight.evidence.passages == (1, 3)


def test_summary_and_phrases_keep_their_places(tmp_path: Path) -> None:
    found = text_told(
        tmp_path,
        "A sentence.",
        summary=(SummarySentence(sentence="A sentence.", passage=1),),
        key_phrases=(KeyPhrase(phrase="rain", count=1, score=2.0, passages=(1,)),),
    )

    assert [insight.sentence for insight in found[1:]] == [
        "In its own words: A sentence.",
        "It speaks most of rain (once).",
    ]


def test_text_with_little_to_say_says_so(tmp_path: Path) -> None:
    found = text_told(tmp_path, "Hello.")

    assert [insight.kind for insight in found] == [K.OVERVIEW, K.NOTHING_UNUSUAL]
    assert found[1].sentence == "The text is too short to say more of it."


def test_texts_that_contradict_or_copy_each_other_are_told_with_their_files(tmp_path: Path) -> None:
    shared = LONG + "so that the flour of the village comes from the village once more."
    one = text_file(tmp_path, "one.txt", "Revenue in 2023 was 4.2 million euros.", shared)
    again = shared.replace("once more", "again")
    other = text_file(tmp_path, "other.txt", again, "In 2023 revenue was 5 million euros.")

    found = {insight.kind: insight for insight in compare([one, other]).insights}

    assert set(found) == {K.CONTRADICTION, K.SIMILAR}
    for insight in found.values():
        assert (insight.evidence.file, insight.further[0].file) == ("one.txt", "other.txt")
    assert found[K.SIMILAR].evidence.passages == (2,)
    assert found[K.SIMILAR].further[0].passages == (1,)


def test_texts_beside_tables_in_an_archive_are_told(tmp_path: Path) -> None:
    parsed = read(DATA / "bundle.zip", tmp_path, name="bundle.zip", options=DEFAULT)

    found = find(parsed, {name: tmp_path / name for name in parsed.artifacts}).insights

    assert [one.kind for one in found[:2]] == [K.OVERVIEW, K.OVERVIEW]
    assert found[0].evidence.table
    assert found[1].figures["words"] == parsed.word_count > 100
    [summary] = [one for one in found if one.kind is K.SUMMARY]
    assert set(summary.evidence.passages) <= {
        passage.number for passage in read_passages(tmp_path / PASSAGES) if not passage.place.table
    }

"""Documents become sections, passages, key phrases and a summary."""

import time
from pathlib import Path

import pytest

from foundations.public_works.archives import Encrypted
from foundations.public_works.media_types import MediaType, detect
from foundations.public_works.parsing import markdown, passages, phrases, texts
from foundations.public_works.parsing.faults import FieldLimit, UnreadableFile
from foundations.public_works.parsing.languages import language_of
from foundations.public_works.parsing.models import DEFAULT, Passage
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.places import Place
from foundations.public_works.parsing.printed import reflowed, without_running_lines
from foundations.public_works.parsing.sources import Section, Source
from tests.support import hostile_files as hostile

DATA = Path(__file__).parents[2] / "data"


def read(path: Path, name: str = "") -> Source:
    media = detect(path, name)
    take = texts.web_page if media.name == "text/html" else texts.text
    return take(path, media=media, options=DEFAULT, notes=Notes())


def written(folder: Path, data: bytes) -> Path:
    path = folder / "upload"
    path.write_bytes(data)
    return path


def test_pdf_is_read_by_page() -> None:
    source = read(DATA / "declaration.pdf")

    assert [section.place.label for section in source.sections] == ["page 1", "page 2", "page 3"]
    assert source.sections[0].text.startswith("IN CONGRESS, July 4, 1776.")
    assert source.sections[2].text.endswith("our Fortunes and our sacred Honor.")
    assert source.metadata["page_count"] == 3
    assert source.properties.title == "Declaration of Independence"


def test_docx_is_read_by_heading() -> None:
    source = read(DATA / "annual-report.docx")

    assert [section.place.label for section in source.sections] == [
        "Annual report of the weather station",
        "Temperature",
        "Wind",
        "Wind",
        "Maintenance",
    ]
    assert not source.sections[3].place.is_prose
    assert "hill; 148 km/h; 28 October" in source.sections[3].text


def test_markdown_is_read_by_heading_without_its_marks() -> None:
    source = read(DATA / "rain-gauge.md")

    assert [section.place.label for section in source.sections] == [
        "Reading a rain gauge",
        "Reading a rain gauge > Choosing a place",
        "Reading a rain gauge > Taking a reading",
        "Reading a rain gauge > Taking a reading",
        "Reading a rain gauge > Common errors",
    ]
    assert "Read the gauge every morning at 9 o'clock." in source.sections[2].text
    assert "less than 0.05 mm; trace" in source.sections[3].text


def test_marks_inside_code_are_left_alone() -> None:
    sections = markdown.sections_and_grids(
        "before\n\n# A\n```\n# no heading\n- no bullet\n```\n> said **loud** [here](x)\n# B\n"
    ).sections

    assert [(section.place.label, section.text) for section in sections] == [
        ("beginning", "before"),
        ("A", "A"),
        ("A", "A\n\n# no heading\n- no bullet"),
        ("A", "said loud here"),
        ("B", "B"),
    ]


def test_plain_text_is_placed_by_line(tmp_path: Path) -> None:
    paragraph = "A sentence of a certain length stands here. " * 30
    path = written(tmp_path, f"{paragraph}\n\n{paragraph}\n\nThe end.\n".encode())

    assert [section.place.label for section in read(path, "t.txt").sections] == [
        "line 1",
        "line 3",
        "line 5",
    ]


def test_u26_document_under_a_password_says_so() -> None:
    with pytest.raises(Encrypted) as caught:
        read(DATA / "encrypted.pdf")
    assert caught.value.code == "encrypted"


@pytest.mark.parametrize("name", ["declaration.pdf", "annual-report.docx"])
def test_u26_document_cut_off_is_unreadable(tmp_path: Path, name: str) -> None:
    media = detect(DATA / name)
    path = written(tmp_path, (DATA / name).read_bytes()[:3000])

    with pytest.raises(UnreadableFile) as caught:
        texts.text(path, media=media, options=DEFAULT, notes=Notes())
    assert caught.value.code == "unreadable_file"


def test_u23_circular_cross_references_end(tmp_path: Path) -> None:
    data = hostile.circular_pdf((DATA / "declaration.pdf").read_bytes())
    assert b"/Prev" in data

    assert len(read(written(tmp_path, data)).sections) == 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
def test_texts_in_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "Zoë and José met.\n".encode(encoding))

    assert read(path, "t.txt").sections[0].text == "Zoë and José met."


def test_nul_byte_in_a_text_says_where(tmp_path: Path) -> None:
    path = written(tmp_path, b"words\n" * 20_000 + b"a\0b\n")

    with pytest.raises(UnreadableFile, match="line 20001"):
        read(path, "t.txt")


def test_text_in_another_encoding_than_stated_is_refused(tmp_path: Path) -> None:
    media = MediaType(name="text/plain", encoding="ascii")

    with pytest.raises(UnreadableFile, match="ascii"):
        texts.text(written(tmp_path, "é".encode()), media=media, options=DEFAULT, notes=Notes())


def test_text_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_TEXT", 10)

    with pytest.raises(FieldLimit):
        read(written(tmp_path, b"more than ten characters\n"), "t.txt")


def test_printed_lines_flow_together_again() -> None:
    page = (
        "A first paragraph goes on over several lines of print, and it\r\n"
        "ends well be-\r\nfore the end.\r\n"
        "The second paragraph begins here and is long enough to fill one\r\nline.\r\n\r\nThird."
    )

    assert reflowed(page.splitlines()).split("\n\n") == [
        "A first paragraph goes on over several lines of print, and it ends well before the end.",
        "The second paragraph begins here and is long enough to fill one line.",
        "Third.",
    ]


# --- passages ------------------------------------------------------------------------------------


def test_sentences_end_where_people_end_them() -> None:
    text = (
        "Dr. Brown paid 3.50 euros. He left at 5 p.m. with B. Stone! Why? "
        "\u201cNobody knows.\u201d 7 did."
    )

    assert passages.sentences(text) == [
        "Dr. Brown paid 3.50 euros.",
        "He left at 5 p.m. with B. Stone!",
        "Why?",
        "\u201cNobody knows.",
        "7 did.",
    ]


def test_days_of_a_month_end_no_sentence() -> None:
    text = "Bis zum 31. März 2024 ist zu zahlen. Es sind 31. Danach nicht mehr."

    assert passages.sentences(text) == [
        "Bis zum 31. März 2024 ist zu zahlen.",
        "Es sind 31.",
        "Danach nicht mehr.",
    ]


def test_passages_are_cut_between_paragraphs_then_sentences_then_words() -> None:
    sentence = "These words make a sentence of some length. "
    text = f"First.\n\n{'Second paragraph. ' * 50}\n\n{sentence * 40}\n\n{'word' * 600}"

    cut = [piece for _, piece in passages.cut(text, Place.read("here"))]

    assert all(len(piece) <= 1000 for piece in cut)
    assert cut[0].startswith("First.\n\nSecond")
    assert "".join(cut).replace("\n", "").replace(" ", "") == text.replace("\n", "").replace(
        " ", ""
    )
    assert all(piece.endswith(".") for piece in cut[:-3])


def test_passages_are_numbered_up_to_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "MAX_PASSAGES", 2)

    made = passages.numbered([(Place.read(a), a) for a in "abc"])

    assert [(one.number, one.place.label) for one in made] == [(1, "a"), (2, "b")]


def test_no_passage_of_nothing() -> None:
    assert list(passages.cut(" \n\n \n", Place.read("x"))) == []


# --- phrases -------------------------------------------------------------------------------------


def passage(text: str, number: int = 1) -> Passage:
    return Passage(number=number, place=Place.read("x"), text=text)


def test_key_phrases_are_what_a_text_repeats() -> None:
    told = [
        passage("The rain gauge stands here. A rain gauge collects rain.", 1),
        passage("Clean the rain gauge. It is of the tin.", 2),
    ]

    found = phrases.key_phrases(told)

    assert found[0].phrase == "rain gauge"
    assert (found[0].count, found[0].passages) == (3, (1, 2))
    assert "gauge" not in [one.phrase for one in found]


def test_parts_of_addresses_are_no_key_phrases() -> None:
    told = "Storm: {0} or https://hill.example/{0} knows. "

    found = phrases.key_phrases([passage(told.format("wilma.foxglove@gale.example") * 3)])

    assert {one.phrase for one in found} == {"storm", "knows"}


def test_short_text_has_no_key_phrases() -> None:
    assert phrases.key_phrases([passage("Nothing is said twice here.")]) == ()


def test_key_phrases_of_a_huge_text_stop_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrases, "CONSIDERED", 3)

    found = phrases.key_phrases(
        [passage("wind storm, wind storm", 1), passage("rain rain rain", 2)]
    )

    assert [one.phrase for one in found] == ["wind storm"]


def test_summary_is_made_of_the_texts_own_sentences_in_order() -> None:
    text = (
        "The station measures the wind and the rain of the harbour. "
        "The station measures the wind and the rain of the valley. "
        "Nobody came. "
        "Once a painter visited with seven assistants and an umbrella of silk. "
        "A funnel of copper collects water for the gauge. "
        "A funnel of copper collects water for the bucket."
    )

    found = phrases.summary([passage(text, 4)], most=2)

    assert [one.sentence for one in found] == [
        "The station measures the wind and the rain of the harbour.",
        "A funnel of copper collects water for the gauge.",
    ]
    assert {one.passage for one in found} == {4}


def test_text_without_sentences_has_no_summary() -> None:
    assert phrases.summary([passage("a b c")]) == ()


def test_cells_of_a_table_are_no_running_text() -> None:
    found = markdown.sections_and_grids("# A\nBefore.\n\na | b\n--|--\n1 | 2\n\nBehind.\n")

    assert [(one.place.is_prose, one.text) for one in found.sections] == [
        (True, "A\n\nBefore."),
        (False, "A\n\na; b\n1; 2"),
        (True, "Behind."),
    ]
    assert found.grids == [("A", [["a", "b"], ["1", "2"]])]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("A word.[^1] And[^note]", "A word. And"),
        ("*one* _two_ ~~three~~ 2*3*4 snake_case_name", "one two three 2*3*4 snake_case_name"),
        ("- [x] done", "done"),
        ("<details><summary>More</summary> a < b", "More   a < b"),
    ],
)
def test_marks_of_markdown_are_not_told(line: str, told: str) -> None:
    assert " ".join(markdown.plain(line).split()) == " ".join(told.split())


def test_items_of_a_list_are_paragraphs_and_comments_are_nothing() -> None:
    (section,) = markdown.sections_and_grids("Rules\n- one\n- two\n<!-- not\nshown -->").sections

    assert section.text == "Rules\n\none\n\ntwo"


def test_lines_below_a_line_make_it_a_heading() -> None:
    sections = markdown.sections_and_grids("Top\n===\nWords.\n\nSub\n---\nMore.\n").sections

    assert [one.place.label for one in sections] == ["Top", "Top > Sub"]


def test_what_stands_before_a_text_in_markdown_are_its_properties(tmp_path: Path) -> None:
    text = b"---\ntitle: 'Release notes'\nauthor: A. Team\ndate: 2024-05-01\n---\n# A\nWords.\n"
    source = read(written(tmp_path, text), "a.md")

    assert source.properties.title == "Release notes"
    assert source.properties.authors == ("A. Team",)
    assert source.properties.created_at == "2024-05-01"
    assert [one.text for one in source.sections] == ["A\n\nWords."]


def test_ruler_at_the_beginning_is_no_list_of_properties(tmp_path: Path) -> None:
    source = read(written(tmp_path, b"---\n# A\nWords and words.\n\n---\n\nEnd.\n"), "a.md")

    assert "Words and words." in source.sections[0].text


def test_head_and_foot_of_pages_are_told_once() -> None:
    pages = [f"Yearly report\nText of page {n}\ngoes on.\nOffice {n} / 3" for n in (1, 2, 3)]

    assert [list(filter(None, page)) for page in without_running_lines(pages)] == [
        ["Yearly report", "Text of page 1", "goes on.", "Office 1 / 3"],
        ["Text of page 2", "goes on."],
        ["Text of page 3", "goes on."],
    ]


def test_rows_of_a_printed_table_stand_apart() -> None:
    lines = ["Port Vessels Tonnes Value", "Eastbay 42 5,120 3,450", "Skerry 12 1,900 1,205", "End."]

    assert reflowed(lines).split("\n\n") == lines


def test_first_line_of_a_page_is_a_heading_where_no_sentence_goes_on() -> None:
    lines = ["Work of the fishing fleets", "The fleet of the north landed", "much herring."]

    assert reflowed(lines).split("\n\n") == [lines[0], " ".join(lines[1:])]
    assert "\n\n" not in reflowed(["and The fleet of the north", "The Hague landed more."])


def test_comments_of_a_document_are_read(tmp_path: Path) -> None:
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    comments = (
        f'<w:comments xmlns:w="{namespace}"><w:comment w:id="0"><w:p><w:r>'
        "<w:t>Is that right?</w:t></w:r></w:p></w:comment></w:comments>"
    )
    data = hostile.docx(extra={"word/comments.xml": comments.encode()})

    assert read(written(tmp_path, data)).sections[-1] == Section(
        Place.name("comments"), "Is that right?"
    )


def test_tables_that_lay_out_a_page_are_no_tables(tmp_path: Path) -> None:
    inner = "<table><tr><th>Plant</th><th>Price</th></tr><tr><td>Mint</td><td>2</td></tr></table>"
    page = f"<html><table><tr><td><p>Words.</p></td><td>{inner}</td></tr></table></html>"
    source = read(written(tmp_path, page.encode()), "a.html")

    assert [table.frame.to_dicts() for table in source.tables] == [[{"Plant": "Mint", "Price": 2}]]
    assert "Words." in source.sections[0].text


@pytest.mark.parametrize(
    ("around", "expected"),
    [("Es waren 4,2 Prozent von 1.250.000 Euro.", [310000]), ("It was 4.25 %.", [310.0])],
)
def test_numbers_of_a_table_are_read_as_those_around_it(
    tmp_path: Path, around: str, expected: list[float]
) -> None:
    text = f"{around}\n\n| Monat | Menge |\n|---|---|\n| Mai | 310.000 |\n"
    source = read(written(tmp_path, text.encode()), "a.md")

    assert source.tables[0].frame["Menge"].to_list() == expected


def test_letters_that_rtf_writes_by_number_are_read_in_its_properties(tmp_path: Path) -> None:
    data = rb"{\rtf1\ansi{\info{\title Caf\'e9 report}}A sentence of some words.\par}"

    assert read(written(tmp_path, data), "a.rtf").properties.title == "Café report"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [
                "Der Windpark an der Küste erzeugt Strom. Der Betreiber des Windparks misst.",
                "Im Windpark kostete der Bau 4 Millionen Euro, und der Ausbau 5 Millionen Euro.",
            ],
            {"windpark": 3},
        ),
        (
            [
                "La bibliothèque de la ville est ouverte. Les lecteurs de la bibliothèque lisent.",
                "Dans la salle de la ville est l'auteur d'un roman. L'auteur signe ses romans.",
            ],
            {"bibliothèque": 2, "auteur": 2},
        ),
        (
            [
                "El mercado de la ciudad es muy grande. Los puestos del mercado están en la plaza.",
                "Cada puesto tiene su número. El mercado cierra por la tarde.",
            ],
            {"mercado": 3, "puesto": 2},
        ),
    ],
)
def test_key_phrases_are_no_articles_and_one_in_all_their_forms(
    lines: list[str], expected: dict[str, int]
) -> None:
    text = "\n".join(lines)
    language = language_of([text])

    found = phrases.key_phrases([Passage(number=1, place=Place.line(1), text=text)], language)

    told = {one.phrase: one.count for one in found}
    assert expected.items() <= told.items()
    assert not any(set(one.split()) & {"la", "de", "l'auteur", "los", "millionen"} for one in told)


def test_code_is_no_running_text() -> None:
    sections = markdown.sections_and_grids("Words.\n```\nx = 1\n```\nMore.\n```\nopen\n").sections

    assert [(one.place.is_prose, one.text) for one in sections] == [
        (True, "Words."),
        (False, "x = 1"),
        (True, "More."),
        (False, "open"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "---\n" + " a: b\n" * 150 + "x\n",
        "<!-- " * 20_000,
        "[a" * 20_000,
        "[a](" * 20_000,
        "|" + " " * 20_000 + "x\n" + " " * 20_000 + "|",
        "_a *b " * 20_000,
    ],
    ids=lambda text: str(text)[:5],
)
def test_markdown_that_opens_and_never_closes_is_read_in_linear_time(text: str) -> None:
    begun = time.process_time()

    _, rest = markdown.split_front(text)
    markdown.sections_and_grids(rest)

    assert time.process_time() - begun < 2

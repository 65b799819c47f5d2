"""Names of people are told by what stands around them, and nothing else is taken for one."""

import time

import pytest

from foundations.public_works.parsing.models import Passage
from foundations.public_works.parsing.person_names import person_names
from foundations.public_works.parsing.phrases import key_phrases
from foundations.public_works.parsing.places import Place


def names(text: str) -> list[str]:
    return [text[start:end] for start, end in person_names(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("We met Mrs O'Neil and Dr. No.", ["O'Neil", "No"]),
        ("Prof. Dr. med. Hans Meier kam mit Frau von Bülow", ["Hans Meier", "von Bülow"]),
        ("Dear Ms Ada Foxglove,\n\nAda Foxglove came.", ["Ada Foxglove", "Ada Foxglove"]),
        ("Dear Tom and Ada,", ["Tom", "Ada"]),
        ("Hi Tom,\nfine.\nCheers\nAda", ["Tom", "Ada"]),
        ("Mit freundlichen Grüßen\n\nAnna-Lena Müller\nVertrieb", ["Anna-Lena Müller"]),
        ("Best regards,\nJ. R. R. Oakenshield, Head of Mills", ["J. R. R. Oakenshield"]),
        ("From: Ada Quill <a@mail.example>", ["Ada Quill"]),
        ('To: "Reed, Thomas" <t@mail.example>', ["Reed, Thomas"]),
        ("Contact person: Ada B. Quill, phone 12", ["Ada B. Quill"]),
        ("Ansprechpartnerin: Ada Quill", ["Ada Quill"]),
        ("Madame Jeanne de la Tour écrit", ["Jeanne de la Tour"]),
    ],
)
def test_name_is_told(text: str, found: list[str]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Dear all,\nDear Sir or Madam,\nDear Customer Service,\nDear Hiring Manager,",
        "Sehr geehrte Damen und Herren,",
        "Hello World!",
        "Hi everyone\nthe Mill is sold",
        "Thanks\nThe report is done",
        "Thank you\nFor your order",
        "Best regards,\nTeam Support",
        "Mit freundlichen Grüßen\nIhr Kundenservice",
        "Best of all\nWorlds",
        "Mr. President, the MS Office of 12 Elm Dr. London",
        "Herr der Ringe",
        "Name: Blue Danube\nAuthor: unknown",
        "Support <help@mail.example>",
        "The wheel of Wilhelmina turns in May, as Frank said to Rose.",
    ],
)
def test_what_is_no_name_or_not_told_to_be_one_is_left(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize("piece", ["Mr A ", "Dear A B C\n", "A. ", "Best,\n", "A B <a@b.c> ", "> "])
def test_text_made_of_beginnings_takes_no_time(piece: str) -> None:
    text = piece * (4_000 // len(piece))
    begun = time.process_time()

    names(text)

    assert time.process_time() - begun < 1


def test_names_are_no_key_phrases() -> None:
    text = "Dear Ms Ada Foxglove,\n\nAda Foxglove has the water wheel. Foxglove: the water wheel."
    place = Place.read("line 1")

    phrases = [one.phrase for one in key_phrases([Passage(number=1, place=place, text=text)])]

    assert phrases == ["water wheel"]

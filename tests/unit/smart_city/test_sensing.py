"""Personal data is told by pattern, check digit and context; and what is like it is left alone."""

import pytest

from foundations.public_works.parsing.models import (
    ColumnProfile,
    ColumnType,
    Passage,
    TableProfile,
    ValueCount,
)
from foundations.public_works.parsing.places import Place
from smart_city.data_steward.api import ContentSeen
from smart_city.data_steward.content import found_in
from smart_city.data_steward.finders import FINDERS, luhn
from smart_city.data_steward.policy_reading import SHIPPED, policy_from
from smart_city.data_steward.sensing import Column, Senses

SENSES = Senses.of(policy_from(SHIPPED).policy)


def found(finder: str, text: str) -> list[str]:
    return [text[start:end] for start, end in FINDERS[finder].spans(text)]


def detected(text: str) -> set[str]:
    return {hit.detector for hit in SENSES.hits(text)}


def told(text: str) -> list[tuple[str, str]]:
    return [(hit.detector, text[hit.start : hit.end]) for hit in SENSES.hits(text)]


@pytest.mark.parametrize(
    ("finder", "text", "wanted"),
    [
        ("mail_address", "write to a.b+c@mail.example.org.", ["a.b+c@mail.example.org"]),
        ("mail_address", "a @ b, and @handle", []),
        ("iban", "pay DE89 3704 0044 0532 0130 00 BIC COBADEFF", ["DE89 3704 0044 0532 0130 00"]),
        ("iban", "GB82WEST12345698765432", ["GB82WEST12345698765432"]),
        ("iban", "DE89 3704 0044 0532 0130 01", []),
        ("iban", "order AB12 3456 7890 1234 5678", []),
        ("payment_card", "card 4111 1111 1111 1111, please", ["4111 1111 1111 1111"]),
        ("payment_card", "card 378282246310005", ["378282246310005"]),
        ("payment_card", "card 4111 1111 1111 1112", []),
        ("payment_card", "serial 0000000000000000", []),
        ("payment_card", "sum 1741.41111111111111", []),
        ("international_phone_number", "+49 (0)30 901820 or", ["+49 (0)30 901820"]),
        ("international_phone_number", "0041 44 668 18 00", ["0041 44 668 18 00"]),
        ("international_phone_number", "grew by +12 and +1200000", []),
        ("local_phone_number", "030 901820", ["030 901820"]),
        ("local_phone_number", "(212) 555-0123", ["(212) 555-0123"]),
        ("ip_address", "from 192.168.10.7.", ["192.168.10.7"]),
        ("ip_address", "2001:db8::8a2e:370:7334", ["2001:db8::8a2e:370:7334"]),
        ("ip_address", "at 12:30:45 of 300.1.1.1 or 1.2.3", []),
        ("national_id", "078-05-1120", ["078-05-1120"]),
        ("national_id", "000-05-1120 or 666-12-1234", []),
        ("national_id", "QQ 12 34 56 C no, AB 12 34 56 C yes", ["AB 12 34 56 C"]),
        ("national_id", "756.9217.0769.85", ["756.9217.0769.85"]),
        ("national_id", "756.9217.0769.84", []),
        ("national_id", "12345678Z", ["12345678Z"]),
        ("national_id", "12345678A", []),
        ("national_id", "1 84 12 76 451 089 46", ["1 84 12 76 451 089 46"]),
        ("national_id", "RSSMRA85T10A562S", ["RSSMRA85T10A562S"]),
        ("national_id", "86 095 742 719", ["86 095 742 719"]),
        ("national_id", "86 095 742 718", []),
        ("long_number", "passport C01X00T47", []),
        ("long_number", "no 12345678", ["12345678"]),
    ],
)
def test_finder(finder: str, text: str, wanted: list[str]) -> None:
    assert found(finder, text) == wanted


def test_luhn_is_the_check_of_cards() -> None:
    assert luhn("79927398713")
    assert not luhn("79927398710")


@pytest.mark.parametrize("character", ["1", "a", "a.", ":", "+", " 1", "1-", "(1)"])
@pytest.mark.parametrize("finder", sorted(FINDERS))
def test_no_text_keeps_a_finder_busy(finder: str, character: str) -> None:
    import time

    begun = time.perf_counter()
    assert len(list(FINDERS[finder].spans(character * 2_000 + "@!"))) <= 2_000
    assert time.perf_counter() - begun < 1.0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Call us: tel 030 901820 today.", {"local_phone_number"}),
        ("The mill made 030 901820 loaves.", set()),
        ("She was born on 12 March 1970.", {"birth_date"}),
        ("The bridge opened on 12 March 1970.", set()),
        ("Version 10.0.1.2 is out.", set()),
        ("It came from 10.0.1.2.", {"ip_address"}),
        ("Surname: Quill", {"person_name"}),
        ("Name: Saturn", set()),
        ("Name: Ada; mail: ada@mail.example", {"name_of_a_person", "mail_address"}),
        ("people, row 3: first name: Ada; birth date: 1815-12-10.", {"person_name", "birth_date"}),
        ("Column surname of people holds text most often Quill, Reed; 9 different values.",
         {"person_name"}),
        ("Column depth of wells holds numbers from 1 to 9; 9 different values.", set()),
        ("Salary: 51,000 EUR", {"salary"}),
        ("Salary: see the table", set()),
    ],
)  # fmt: skip
def test_context_decides_in_texts(text: str, wanted: set[str]) -> None:
    assert detected(text) == wanted


def test_hit_tells_where_it_stands_in_a_long_text() -> None:
    text = "Lorem ipsum dolor. " * 1_000 + "Write to ada@mail.example now."

    assert told(text) == [("mail_address", "ada@mail.example")]


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (Column("t", "contact", "text", ("a@b.example", "c@d.example", "none")), ("mail_address",)),
        (Column("t", "remarks", "text", ("a@b.example", "late", "red", "wet")), ()),
        (Column("t", "PhoneNumber", "integer", ("5550123999", "5550124000")),
         ("local_phone_number",)),
        (Column("t", "mass", "integer", ("5550123999", "5550124000")), ()),
        (Column("t", "date_of_birth", "date", ("1970-01-01",)), ("birth_date",)),
        (Column("t", "dob", "date", ()), ("birth_date",)),
        (Column("t", "birth_rate", "number", ("1.3", "2.1")), ()),
        (Column("t", "born_in", "text", ("Ulm", "Bern")), ()),
        (Column("t", "firstName", "text", ("Ada",)), ("person_name",)),
        (Column("t", "first name", "integer", ("7",)), ()),
        (Column("t", "name", "text", ("Saturn", "Mars")), ()),
        (Column("t", "cards", "integer", ("4111111111111111",)), ("payment_card",)),
        (Column("t", "tax_id_2", "text", ("12-345-678",)), ("tax_or_insurance_number",)),
    ],
)  # fmt: skip
def test_name_and_values_decide_of_columns(column: Column, wanted: tuple[str, ...]) -> None:
    assert SENSES.columns([column]).get(column.name, ()) == wanted


def test_name_is_a_persons_beside_what_only_persons_have() -> None:
    table = [
        Column("t", "name", "text", ("Ada", "Ben")),
        Column("t", "email", "text", ("a@b.example", "c@d.example")),
    ]

    assert SENSES.columns(table)["name"] == ("name_of_a_person",)


def test_content_of_a_file_is_told_by_column_and_passage() -> None:
    columns = (
        ColumnProfile(
            name="email", type=ColumnType.TEXT, missing=0, distinct=2, minimum="a@b.example",
            maximum="c@d.example", most_frequent=(ValueCount(value="a@b.example", count=2),),
        ),
        ColumnProfile(name="town", type=ColumnType.TEXT, missing=0, distinct=1, minimum="Ulm"),
    )  # fmt: skip
    table = TableProfile(
        name="people", row_count=3, column_count=2, columns=columns, artifact="t.parquet",
        sample=(("a@b.example", "Ulm"),),
    )  # fmt: skip
    mail = "Write to a@b.example or c@d.example."
    passages = tuple(
        Passage(number=n, place=Place.read(""), text=mail if n % 2 else "") for n in range(1, 60)
    )

    found = found_in(ContentSeen(tables=(table,), passages=passages), SENSES)

    in_table, in_text = found
    assert (in_table.table, in_table.column) == ("people", "email")
    assert in_table.detector == "mail_address"
    assert (in_text.data_class, in_text.count) == ("contact", 60)
    assert in_text.passages == tuple(range(1, 41, 2))

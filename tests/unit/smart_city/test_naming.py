"""Names that senders give their files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart_city.content_steward.naming import LONGEST, safe_name, storage_key


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("rain.csv", "rain.csv"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\x", "x"),
        ("C:\\x", "x"),
        ("C:x.csv", "x.csv"),
        ("/abs", "abs"),
        ("nul\0byte.csv", "nulbyte.csv"),
        ("a\r\nSet-Cookie: b.csv", "aSet-Cookie: b.csv"),
        ("\u202egpj.exe", "gpj.exe"),
        ("\u2066a\u2069\ufeff.csv", "a.csv"),
        ("\ud800lone.csv", "lone.csv"),
        ("क्\u200dष.txt", "क्\u200dष.txt"),
        ("e\u0301tude.md", "étude.md"),
        ("  two   words .csv ", "two words .csv"),
        ("...", "unnamed"),
        ("", "unnamed"),
        ("\u202e", "unnamed"),
        ("folder/", "unnamed"),
        ("CON", "_CON"),
        ("con.csv", "_con.csv"),
        ("console.csv", "console.csv"),
        (".env", ".env"),
    ],
)
def test_name_is_made_safe(given_name: str, shown: str) -> None:
    assert safe_name(given_name) == shown


def test_long_name_is_cut_and_keeps_its_suffix() -> None:
    name = safe_name("x" * 5000 + ".csv")

    assert len(name) == LONGEST
    assert name.endswith("x.csv")


def test_long_name_without_a_suffix_is_cut() -> None:
    assert safe_name("x" * 5000) == "x" * LONGEST


@given(st.text(max_size=400))
def test_no_name_breaks_out(name: str) -> None:
    shown = safe_name(name)

    assert 0 < len(shown) <= LONGEST
    assert shown.strip(". ")
    assert not set(shown) & set("/\\\0\r\n\u202e\u2028")
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("tenant", "folder"),
    [
        ("local", "local"),
        ("a-b_1", "a-b_1"),
        ("..", "x.2e2e"),
        ("a/b", "x.612f62"),
        ("x.y", "x.782e79"),
    ],
)
def test_key_of_a_file_stays_in_its_tenants_folder(tenant: str, folder: str) -> None:
    assert storage_key("client", tenant, "file-1") == f"client/{folder}/file-1"

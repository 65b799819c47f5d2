"""What reaches a terminal: never a control character of a user, always plain JSON for programs."""

import json

import pytest

from foundations.experience.terminal import Terminal, clean

NASTY = "a\x1b[31mred\x07\r\nb\u202egnp.exe\udcff\x9b2J"


def test_control_characters_are_stripped() -> None:
    assert clean(NASTY) == "a[31mredbgnp.exe2J"


def test_every_way_to_print_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()

    terminal.say(NASTY)
    terminal.note(NASTY)
    terminal.lines("one\x1b\ntwo")
    terminal.table(["name"], [[NASTY]])

    printed = capsys.readouterr()
    assert set(filter(lambda c: not c.isprintable(), printed.out + printed.err)) == {"\n"}
    assert "one\ntwo\n" in printed.out


def test_json_is_ascii_and_keeps_every_character(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().json({"name": NASTY})

    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed) == {"name": NASTY}


def test_table_of_a_narrow_terminal_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    Terminal().table(["phase", "status"], [["infrastructure", "succeeded"]])

    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert "".join(row[0] for row in rows[2:]) == "infrastructure"
    assert "".join(row[1] for row in rows[2:]) == "succeeded"


def test_progress_shows_nothing_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Terminal().progress() as bar:
        bar.show(1, 4, "file_parsed")

    assert capsys.readouterr() == ("", "")


def test_markup_in_names_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().table(["name"], [["[bold]x[/bold] :smile:"]])

    assert "[bold]x[/bold] :smile:" in capsys.readouterr().out

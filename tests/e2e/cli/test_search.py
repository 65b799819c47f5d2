"""Searching and indexing anew by command."""

import json
from pathlib import Path

import pytest

from foundations.experience.command_line import main
from foundations.experience.exit_codes import DONE, FAILED, REFUSED
from foundations.public_works.adapters import endpoint_embedder
from main import Platform
from tests.support.embedding_endpoint import KEY, embedding_endpoint

LETTER = "The zeppelin lands at noon on the meadow behind the mill.\n"


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The data folder of a city that knows a letter."""
    letter = tmp_path / "letter.txt"
    letter.write_text(LETTER)
    assert main(Platform, ["mash", str(letter), "--data-dir", str(tmp_path / "city")]) == DONE
    capsys.readouterr()
    return str(tmp_path / "city")


def test_question_finds_its_passage_with_the_words_marked(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(Platform, ["search", "meadows", "--data-dir", folder]) == DONE
    shown = capsys.readouterr().out
    assert "letter.txt, line 1" in shown
    assert "on the *meadow* behind the mill" in shown

    assert main(Platform, ["search", "xylophone", "--mode", "words", "--data-dir", folder]) == DONE
    assert capsys.readouterr().out.strip() == "nothing is found"

    asked = ["search", "mill", "--json", "--kind", "txt", "--since", "2020-01-01T00:00:00Z"]
    assert main(Platform, [*asked, "--data-dir", folder]) == DONE
    (hit,) = json.loads(capsys.readouterr().out)["hits"]
    assert hit["place"]["number"] == 1
    assert main(Platform, ["search", "mill", "--kind", "tct", "--data-dir", folder]) in (
        FAILED,
        REFUSED,
        2,
    )
    assert 'Did you mean "txt"?' in capsys.readouterr().err


def test_reindex_moves_search_to_the_embedder_of_the_settings(
    folder: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_embedder, "FIRST_DELAY", 0.001)
    with embedding_endpoint() as endpoint:
        monkeypatch.setenv("CIVITAS_EMBEDDING_URL", endpoint.url)
        monkeypatch.setenv("CIVITAS_EMBEDDING_MODEL", "small")
        monkeypatch.setenv("CIVITAS_EMBEDDING_API_KEY", "wrong")
        assert main(Platform, ["reindex", "--data-dir", folder]) != DONE
        shown = capsys.readouterr().err
        assert "CIVITAS_EMBEDDING_API_KEY" in shown
        assert "wrong" not in shown

        monkeypatch.setenv("CIVITAS_EMBEDDING_API_KEY", KEY)
        assert main(Platform, ["reindex", "--data-dir", folder]) == DONE
        assert "1 passages are indexed by small@127.0.0.1" in capsys.readouterr().out
        assert main(Platform, ["reindex", "--json", "--data-dir", folder]) == DONE
        assert json.loads(capsys.readouterr().out)["current"] is True
        asked = len(endpoint.asked)
        assert main(Platform, ["search", "zeppelin noon", "--data-dir", folder]) == DONE
        assert len(endpoint.asked) == asked + 1
        assert "by words and meaning" in capsys.readouterr().out

    monkeypatch.setattr(endpoint_embedder, "ATTEMPTS", 1)
    assert main(Platform, ["search", "zeppelin", "--data-dir", folder]) == DONE
    told = capsys.readouterr()
    assert "by words)" in told.out
    assert "searched by words alone" in told.err

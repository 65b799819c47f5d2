"""Settings: where they come from, and how faults in them are told."""

from pathlib import Path

import pytest

from foundations.public_works.settings import CloudReadyMode, FaultySettings, Settings


@pytest.fixture(autouse=True)
def _away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults_are_embedded_and_local() -> None:
    settings = Settings.load()

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.cloud_ready_mode is CloudReadyMode.DISABLED


def test_command_line_wins_over_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "CIVITAS_PORT=1\nCIVITAS_HOST=from-file\nCIVITAS_LOG_LEVEL=DEBUG\n"
    )
    monkeypatch.setenv("CIVITAS_PORT", "2")
    monkeypatch.setenv("CIVITAS_HOST", "from-environment")

    settings = Settings.load(port=3, host=None)

    assert (settings.port, settings.host, settings.log_level) == (3, "from-environment", "DEBUG")


def test_every_fault_is_listed_at_once_without_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIVITAS_PORT", "s3cret-no-number")
    monkeypatch.setenv("CIVITAS_PARSE_CPU_SECONDS", "-1")
    monkeypatch.setenv("CIVITAS_DATADIR", "/x")
    monkeypatch.setenv("CLOUD_READY_MODE", "hybrid")
    monkeypatch.setenv("CLOUD_READY_STORE", "enabled")
    Path(".env").write_text("CIVITAS_HOTS=127.0.0.1\nFOREIGN=1\n")

    with pytest.raises(FaultySettings) as caught:
        Settings.load()

    assert [fault.pointer for fault in caught.value.errors] == [
        "CIVITAS_DATADIR",
        "CIVITAS_HOTS",
        "CLOUD_READY_STORE",
        "CLOUD_READY_MODE",
        "CIVITAS_PORT",
        "CIVITAS_PARSE_CPU_SECONDS",
    ]
    assert 'Did you mean "CIVITAS_DATA_DIR"?' in caught.value.detail
    assert "not built in this version" in caught.value.detail
    assert "s3cret" not in caught.value.detail


@pytest.mark.parametrize("value", ["false", "False", "disabled"])
def test_mode_may_be_given_as_a_boolean(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_READY_MODE", value)

    assert Settings.load().cloud_ready_mode is CloudReadyMode.DISABLED


def test_mode_true_means_enabled_and_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_READY_MODE", "true")

    with pytest.raises(FaultySettings, match="enabled is not built"):
        Settings.load()


def test_secret_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIVITAS_MODEL_API_KEY", "hush")

    settings = Settings.load()

    assert "hush" not in repr(settings)
    assert "hush" not in settings.model_dump_json()
    assert settings.model_api_key is not None
    assert settings.model_api_key.get_secret_value() == "hush"


def test_empty_data_folder_and_unreadable_env_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIVITAS_DATA_DIR", "")
    with pytest.raises(FaultySettings, match="CIVITAS_DATA_DIR: is empty"):
        Settings.load()

    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaultySettings, match="not UTF-8"):
        Settings.load()

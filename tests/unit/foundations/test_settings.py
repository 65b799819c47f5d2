"""Settings: where they come from, and how faults in them are told."""

import secrets
from pathlib import Path

import pytest
from pydantic import SecretStr

from foundations.public_works.settings import CloudReadyMode, FaultySettings, Settings
from foundations.public_works.weak_secrets import weakness_of


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
    monkeypatch.setenv("CLOUD_READY_MODE", "half")
    monkeypatch.setenv("CLOUD_READY_STORE", "perhaps")
    monkeypatch.setenv("CLOUD_READY_EVENT", "enabled")
    Path(".env").write_text("CIVITAS_HOTS=127.0.0.1\nFOREIGN=1\n")

    with pytest.raises(FaultySettings) as caught:
        Settings.load()

    assert [fault.pointer for fault in caught.value.errors] == [
        "CIVITAS_DATADIR",
        "CIVITAS_HOTS",
        "CLOUD_READY_EVENT",
        "CLOUD_READY_MODE",
        "CLOUD_READY_STORE",
        "CIVITAS_PORT",
        "CIVITAS_PARSE_CPU_SECONDS",
    ]
    assert 'Did you mean "CIVITAS_DATA_DIR"?' in caught.value.detail
    assert 'Did you mean "CLOUD_READY_EVENTS"?' in caught.value.detail
    assert "s3cret" not in caught.value.detail


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        ("false", CloudReadyMode.DISABLED),
        ("False", CloudReadyMode.DISABLED),
        ("disabled", CloudReadyMode.DISABLED),
        ("true", CloudReadyMode.ENABLED),
        ("TRUE", CloudReadyMode.ENABLED),
        ("enabled", CloudReadyMode.ENABLED),
        ("hybrid", CloudReadyMode.HYBRID),
    ],
)
def test_mode_may_be_given_as_a_word_or_a_boolean(
    value: str, mode: CloudReadyMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_READY_MODE", value)

    assert Settings.load().cloud_ready_mode is mode


@pytest.mark.parametrize(
    ("value", "flag"),
    [("enabled", True), ("True", True), ("disabled", False), ("false", False), ("", None)],
)
@pytest.mark.parametrize("part", ["store", "journeys", "files", "events"])
def test_flag_of_a_component_is_on_off_or_unset(
    part: str, value: str, flag: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CLOUD_READY_{part.upper()}", value)

    assert getattr(Settings.load(), f"cloud_ready_{part}") is flag


SECRETS = (
    "MODEL_API_KEY", "DATABASE_URL", "ACCESS_TOKEN", "FILES_ACCESS_KEY", "FILES_SECRET_KEY",
    "BROKER_URL", "REDIS_URL",
)  # fmt: skip
UNGUESSABLE = "q7Zk2-Vw9sXe4Rt6Yu8Io0Pl3Mn5Bv1Cx"


@pytest.mark.parametrize("name", SECRETS)
def test_secret_is_masked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"CIVITAS_{name}", UNGUESSABLE)

    settings = Settings.load()

    assert UNGUESSABLE not in repr(settings)
    assert UNGUESSABLE not in settings.model_dump_json()
    assert getattr(settings, name.lower()).get_secret_value() == UNGUESSABLE


@pytest.mark.parametrize("name", SECRETS[2:])
def test_empty_secret_is_unset(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"CIVITAS_{name}", "")

    assert getattr(Settings.load(), name.lower()) is None


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("q7Zk2", "shorter than 32"),
        (UNGUESSABLE[:31], "shorter than 32"),
        ("change-me-change-me-change-me-change-me", "example"),
        ("your-access-token-goes-here-0123456789", "example"),
        ("MySecretToken-q7Zk2-Vw9sXe4Rt6Yu8Io0", "example"),
        ("0123456789" * 4, "example"),
        ("ab" * 20, "repeats"),
        ("q7Zk2 Vw9sXe4Rt6Yu8Io0Pl3Mn5Bv1Cx", "cannot stand in a header"),
        ("q7Zk2ÄVw9sXe4Rt6Yu8Io0Pl3Mn5Bv1Cx", "cannot stand in a header"),
    ],
)
def test_c8_access_token_that_is_none_is_refused_and_not_repeated(
    token: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIVITAS_ACCESS_TOKEN", token)

    with pytest.raises(FaultySettings, match=f"CIVITAS_ACCESS_TOKEN: .*{why}") as caught:
        Settings.load()

    assert token not in f"{caught.value.detail} {caught.value.hint}"
    assert "secrets.token_urlsafe(32)" in caught.value.detail


@pytest.mark.parametrize(
    ("tokens", "why"),
    [
        ("{x", "is no JSON"),
        ('["reader"]', "valid dictionary"),
        ('{"reader": "short"}', "the token of reader is shorter than 32"),
        (f'{{"Reader": "{UNGUESSABLE[::-1]}"}}', "a word of small letters"),
        (f'{{"reader": "{UNGUESSABLE}"}}', "two tokens are the same"),
    ],
)
def test_c8_tokens_of_roles_that_are_none_are_refused_and_not_repeated(
    tokens: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIVITAS_ACCESS_TOKEN", UNGUESSABLE)
    monkeypatch.setenv("CIVITAS_ROLE_TOKENS", tokens)

    with pytest.raises(FaultySettings, match=f"CIVITAS_ROLE_TOKENS: .*{why}") as caught:
        Settings.load()

    assert UNGUESSABLE not in f"{caught.value.detail} {caught.value.hint}"


def test_c8_tokens_of_roles_need_one_of_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIVITAS_ROLE_TOKENS", f'{{"reader": "{UNGUESSABLE}"}}')

    with pytest.raises(FaultySettings, match="needs CIVITAS_ACCESS_TOKEN too"):
        Settings.load()


def test_tokens_that_are_made_as_told_are_taken() -> None:
    assert [t for t in (secrets.token_urlsafe(32) for _ in range(2000)) if weakness_of(t)] == []


@pytest.mark.parametrize(
    "endpoint", ["", "127.0.0.1:4318", "ftp://x", "http://user:word@host:4318", "http:// x"]
)
def test_endpoint_that_is_no_address_is_refused(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIVITAS_TRACE_ENDPOINT", endpoint)

    with pytest.raises(FaultySettings, match="CIVITAS_TRACE_ENDPOINT: is no address"):
        Settings.load()


def test_empty_data_folder_and_unreadable_env_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIVITAS_DATA_DIR", "")
    with pytest.raises(FaultySettings, match="CIVITAS_DATA_DIR: is empty"):
        Settings.load()

    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaultySettings, match="not UTF-8"):
        Settings.load()


def test_city_that_is_to_touch_nothing_stands_on_a_folder_alone(tmp_path: Path) -> None:
    settings = Settings(
        port=9000,
        cloud_ready_mode=CloudReadyMode.ENABLED,
        cloud_ready_files=True,
        database_url=SecretStr("postgresql://x/city"),
        broker_url=SecretStr("amqp://x"),
        files_url="s3://city",
        trace_export="otlp",
    )

    assert settings.embedded(tmp_path) == Settings(port=9000, data_dir=tmp_path)

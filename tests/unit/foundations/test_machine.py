"""What is told of this machine, from facts that a test cannot make."""

import resource
from pathlib import Path

import pytest
from pydantic import SecretStr

from foundations.public_works import machine
from foundations.public_works.findings import Level
from foundations.public_works.settings import GIB, Settings


@pytest.mark.parametrize(
    ("soft", "hard", "level"),
    [
        (1024, 1024, Level.OK),
        (256, 4096, Level.OK),  # a server takes its hard limit
        (64, 64, Level.WARNING),
        (1023, 1023, Level.WARNING),
        (63, 63, Level.FAULT),
    ],
)
def test_limit_of_open_files(soft: int, hard: int, level: Level) -> None:
    found = machine.open_files_finding(soft, hard)

    assert found.level is level
    assert (found.remedy == "ulimit -n 1024") == (level is not Level.OK)


@pytest.mark.parametrize(
    ("limits", "taken"),
    [
        ((256, 4096), 4096),
        ((256, 1_000_000_000), 65_536),
        ((100_000, 100_000), None),
        ((64, 64), None),
    ],
)
def test_city_takes_as_many_open_files_as_it_may(
    limits: tuple[int, int], taken: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: asked.append(wanted))

    machine.take_open_files()

    assert asked == ([(taken, limits[1])] if taken else [])


@pytest.mark.parametrize(("free", "level"), [(2 * GIB, Level.OK), (GIB - 1, Level.WARNING)])
def test_room_on_the_disk(free: int, level: Level) -> None:
    assert machine.disk_finding(free).level is level


def test_network_file_system_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "network_file_system", lambda _: "nfs4")

    first, *_ = machine.folder_findings(Settings(data_dir=tmp_path))

    assert first.level is Level.FAULT
    assert "nfs4" in first.detail


@pytest.mark.parametrize(
    ("host", "token", "level"),
    [
        ("127.0.0.1", "", Level.OK),
        ("localhost", "", Level.OK),
        ("[::1]", "", Level.OK),
        ("0.0.0.0", "", Level.FAULT),
        ("city.example", "", Level.FAULT),
        ("0.0.0.0", "q7Zk2-Vw9sXe4Rt6Yu8Io0Pl3Mn5Bv1Cx", Level.OK),
    ],
)
def test_address_that_is_served(host: str, token: str, level: Level) -> None:
    found = machine.host_finding(
        Settings(host=host, access_token=SecretStr(token) if token else None)
    )

    assert found.level is level
    assert not token or token not in str(found)


def test_env_file_without_secrets_may_be_read_by_all(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("CIVITAS_PORT=1\nCIVITAS_MODEL_API_KEY=\nFOREIGN_KEY=x\n")
    env.chmod(0o644)

    assert list(machine.env_file_findings(env)) == []
    assert list(machine.env_file_findings(tmp_path / "nothing")) == []

    env.write_text("CIVITAS_SECRET_LEDGER=x\nCIVITAS_DATABASE_URL=x\n")
    (found,) = machine.env_file_findings(env)
    assert "CIVITAS_DATABASE_URL, CIVITAS_SECRET_LEDGER" in found.detail

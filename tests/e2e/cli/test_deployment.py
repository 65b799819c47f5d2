"""What a city is set up on, by the numbers of the list of bad inputs: refused with the remedy."""

import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis
from loguru import logger

from foundations.experience.command_line import main
from main import Platform
from tests.support.brokers import Broker, why_not
from tests.support.oracle import check_problem
from tests.support.processes import FROM_CHECKOUT, ROOT, civitas, serving
from tests.support.stores import bucket_variables, make_bucket, s3_server

pytestmark = pytest.mark.slow

SECRET = "gF4hJ8kL"
AWAY = {
    "CIVITAS_DATABASE_URL": f"postgresql://city:{SECRET}@127.0.0.1:9/city",
    "CIVITAS_BROKER_URL": f"amqp://city:{SECRET}@127.0.0.1:9/city",
    "CIVITAS_FILES_URL": "s3://city",
    "CIVITAS_FILES_ENDPOINT": "http://127.0.0.1:9",
    "CIVITAS_FILES_ACCESS_KEY": "city",
    "CIVITAS_FILES_SECRET_KEY": SECRET,
}
ENABLED = {"CLOUD_READY_MODE": "enabled"}
HYBRID = {"CLOUD_READY_MODE": "hybrid"}


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis without an append-only file."""
    if reason := why_not("redis"):
        pytest.skip(reason)
    broker = Broker.beside("redis", tmp_path / "redis")
    broker.start()
    try:
        with redis.Redis(port=broker.port) as client:
            client.config_set("appendonly", "no")
        yield broker.url()
    finally:
        broker.close()


@pytest.fixture
def bucket() -> Iterator[dict[str, str]]:
    """The environment of a city whose files are in a bucket."""
    with s3_server() as endpoint:
        make_bucket(endpoint, "city")
        yield bucket_variables(endpoint, "city")


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """A command line of the real city in this process, which is quicker than one of its own."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.chdir(tmp_path)

    def run(
        *arguments: str | Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            code = main(Platform, list(map(str, arguments)))
        logger.remove()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(list(arguments), code, said.out, said.err)

    return run


def refused(run: Run, data_dir: Path, environment: Mapping[str, str]) -> str:
    """What a server says that refuses to start, exit 78."""
    found = run("serve", "--port", "0", "--data-dir", data_dir, environment=environment)

    assert found.returncode == 78, found.stderr
    assert found.stdout == ""
    assert "Traceback" not in found.stderr
    assert SECRET not in found.stderr
    assert found.stderr.splitlines()[-1].startswith("fix: ")
    assert not (data_dir / "city.sqlite3").exists()
    return found.stderr


def told_by_doctor(
    run: Run, data_dir: Path, environment: Mapping[str, str], *more: str
) -> dict[str, Any]:
    found = run("city", "doctor", "--json", "--data-dir", data_dir, *more, environment=environment)
    document: dict[str, Any] = json.loads(found.stdout)

    assert found.stderr == ""
    assert found.returncode == (0 if document["sound"] else 78)
    assert SECRET not in found.stdout
    for finding in document["findings"]:
        assert (finding["remedy"] == "") == (finding["level"] == "ok")
    return document


def faults(document: dict[str, Any]) -> list[str]:
    found = [f for f in document["findings"] if f["level"] == "fault"]
    return [f"{f['about']}: {f['detail']}" for f in found]


# C7


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        pytest.param(
            ENABLED,
            [
                "store: CIVITAS_DATABASE_URL is not set",
                "remedy: set CIVITAS_DATABASE_URL=postgresql://",
                "journeys: CIVITAS_BROKER_URL is not set",
                "remedy: set CIVITAS_BROKER_URL=amqp://",
                "files: CIVITAS_FILES_URL is not set",
                "remedy: set CIVITAS_FILES_URL=s3://",
            ],
            id="C7-nothing",
        ),
        pytest.param(
            ENABLED | AWAY | {"CIVITAS_DATABASE_URL": "sqlite:///city.sqlite3"},
            ["store: CIVITAS_DATABASE_URL names SQLite", "journeys: does not answer"],
            id="C7-sqlite",
        ),
        pytest.param(
            ENABLED
            | AWAY
            | {
                "CIVITAS_DATABASE_URL": "postgresql://postgres:postgres@db.invalid/city",
                "CIVITAS_BROKER_URL": "amqp://guest:guest@mq.invalid//",
            },
            [
                "store: CIVITAS_DATABASE_URL has a default password",
                "journeys: CIVITAS_BROKER_URL has a default password",
            ],
            id="C7-default-passwords",
        ),
        pytest.param(
            ENABLED | AWAY,
            [
                "store: does not answer",
                "journeys: does not answer",
                "files: the store for files does not answer",
                "no connection",
            ],
            id="C7-nobody-there",
        ),
        pytest.param(
            HYBRID | {"CIVITAS_BROKER_URL": "amqp://guest:guest@127.0.0.1:9//"},
            ["journeys: Celery workers cannot share SQLite"],
            id="C7-celery-over-sqlite",
        ),
        pytest.param(
            {"CLOUD_READY_FILES": "enabled"},
            ["files: CLOUD_READY_FILES=enabled contradicts CLOUD_READY_MODE=disabled"],
            id="C7-contradiction",
        ),
        pytest.param(
            {"CLOUD_READY_MODE": "sometimes", "CLOUD_READY_STORE": "maybe"},
            ["CLOUD_READY_MODE: Input should be", "CLOUD_READY_STORE: Input should be"],
            id="C7-no-words",
        ),
    ],
)
def test_c7_city_that_is_missing_something_does_not_start(
    run: Run, tmp_path: Path, environment: dict[str, str], wanted: list[str]
) -> None:
    said = refused(run, tmp_path / "city", environment)

    assert [text for text in wanted if text not in said] == []


def test_c7_redis_without_an_append_only_file_does_for_nothing(
    run: Run, tmp_path: Path, forgetful: str
) -> None:
    environment = ENABLED | AWAY | {"CIVITAS_BROKER_URL": forgetful}

    said = refused(run, tmp_path / "city", environment)

    assert "journeys: Redis keeps no append-only file" in said
    assert "remedy: set appendonly yes" in said
    assert [f for f in faults(told_by_doctor(run, tmp_path, environment)) if "append-only" in f]


def test_doctor_tells_beforehand_what_the_boot_refuses(run: Run, tmp_path: Path) -> None:
    said = refused(run, tmp_path / "city", ENABLED | AWAY)

    document = told_by_doctor(run, tmp_path / "city", AWAY, "--mode", "enabled")

    assert document["mode"] == "enabled"
    assert [fault for fault in faults(document) if fault not in said] == []
    assert len(faults(document)) == said.count("remedy: ") >= 3
    assert not (tmp_path / "city").exists()


@pytest.mark.parametrize(
    "arguments",
    [("journey", "lint", str(ROOT / "templates/journeys/review_file.yaml")), ("city", "verify")],
)
def test_commands_that_need_nothing_ask_no_server(run: Run, arguments: tuple[str, ...]) -> None:
    found = run(*arguments, environment=ENABLED | AWAY)

    assert (found.returncode, found.stderr) == (0, "")


# what is well


def test_doctor_finds_nothing_where_all_is_well(run: Run, tmp_path: Path) -> None:
    found = run("city", "doctor", "--data-dir", tmp_path / "city")

    assert found.returncode == 0
    assert found.stdout.endswith("a city would boot\n")
    document = told_by_doctor(run, tmp_path / "city", {})
    assert document["sound"]
    assert {c["component"]: c["taken"] for c in document["components"]} == {
        "store": "sqlite",
        "journeys": "in_process",
        "files": "local_folder",
        "events": "local_events",
    }
    assert not (tmp_path / "city").exists()


def test_hybrid_city_says_what_it_took_and_loses_nothing_while_it_is_away(
    run: Run, tmp_path: Path
) -> None:
    with ExitStack() as stack, ExitStack() as store:
        endpoint = store.enter_context(s3_server())
        make_bucket(endpoint, "city")
        bucket = bucket_variables(endpoint, "city")
        server = stack.enter_context(serving(tmp_path, environment=bucket))
        client = stack.enter_context(server.client())

        mode = client.get("/api/city/mode").json()["result"]
        uploaded = client.post("/api/files", files={"file": ("rain.csv", b"day,rain\n1,2\n")})
        path = f"/api/files/{uploaded.json()['result']['file_id']}"
        content = client.get(f"{path}/content").content
        document = told_by_doctor(run, tmp_path, bucket)
        store.close()
        away = client.get(f"{path}/content")
        known = client.get(path)

        assert content == b"day,rain\n1,2\n"
        assert server.stored == []
        assert "mode hybrid: store sqlite" in server.stderr
        assert "files object_store (CIVITAS_FILES_URL is set)" in server.stderr
        told = f"{server.stderr} {server.log} {mode}"
        assert bucket["CIVITAS_FILES_SECRET_KEY"] not in told

    assert document["sound"]
    assert document["components"] == mode["components"]
    assert mode["mode"] == "hybrid"
    (files,) = [c for c in mode["components"] if c["component"] == "files"]
    assert files == {
        "component": "files",
        "taken": "object_store",
        "cloud_ready": True,
        "because": "CIVITAS_FILES_URL is set",
        "at": f"s3://city at {endpoint}",
    }
    check_problem(away, 503, "object_store_unreachable")
    assert away.headers["Retry-After"]
    assert endpoint not in away.text
    assert known.status_code == 200


def test_files_left_behind_are_told(run: Run, tmp_path: Path, bucket: dict[str, str]) -> None:
    (tmp_path / "objects/client").mkdir(parents=True)
    (tmp_path / "objects/client/one").write_text("1")

    document = told_by_doctor(run, tmp_path, bucket)

    assert document["sound"]
    (left,) = [f for f in document["findings"] if f["level"] == "warning"]
    assert "where they are not looked for any more" in left["detail"]
    assert f"aws s3 sync {tmp_path / 'objects'} s3://city" in left["remedy"]


# C8


def test_c8_secrets_that_others_may_read_are_a_warning(run: Run, tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(f"CIVITAS_MODEL_API_KEY={SECRET}\nCIVITAS_PORT=0\n")
    env_file.chmod(0o644)

    loose = run("city", "doctor", "--json")
    env_file.chmod(0o600)
    tight = run("city", "doctor", "--json")

    (warning,) = [f for f in json.loads(loose.stdout)["findings"] if f["level"] == "warning"]
    assert warning["detail"] == ".env has mode 0644: others may read CIVITAS_MODEL_API_KEY"
    assert warning["remedy"] == "chmod 600 .env"
    assert [f for f in json.loads(tight.stdout)["findings"] if f["level"] != "ok"] == []


# C10, C11


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a file in it."""
    folder = tmp_path_factory.mktemp("used") / "city"
    with serving(folder) as server, server.client() as client:
        client.post("/api/files", files={"file": ("a.txt", b"one")})
        assert server.stop() == 0
    return folder


def newer(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE schema_version_realms_journey SET version_num = '9999'")
    connection.close()


def without_log(database: Path) -> None:
    for beside in database.parent.glob("city.sqlite3-*"):
        beside.unlink()


def corrupt(database: Path) -> None:
    without_log(database)
    database.write_bytes(b"this is no database" * 1000)


def emptied(database: Path) -> None:
    without_log(database)
    database.write_bytes(b"")


def folder_instead(database: Path) -> None:
    without_log(database)
    database.unlink()
    database.mkdir()


@pytest.mark.parametrize(
    ("spoil", "cause", "remedy"),
    [
        pytest.param(newer, "which this version does not know", "newer version", id="C10-newer"),
        pytest.param(corrupt, "no usable SQLite database", "restore", id="C11-corrupt"),
        pytest.param(emptied, "it is empty, though files are", "restore", id="C11-zero-bytes"),
        pytest.param(folder_instead, "no usable SQLite database", "restore", id="C11-directory"),
    ],
)
def test_database_that_cannot_be_used_is_refused_and_left_alone(
    run: Run, tmp_path: Path, used: Path, spoil: Callable[[Path], None], cause: str, remedy: str
) -> None:
    data_dir = tmp_path / "city"
    shutil.copytree(used, data_dir)
    spoil(data_dir / "city.sqlite3")
    before = _state(data_dir / "city.sqlite3")

    found = run("serve", "--port", "0", "--data-dir", data_dir)

    assert found.returncode == 78, found.stderr
    assert cause in found.stderr
    assert remedy in found.stderr
    assert found.stderr.splitlines()[-1].startswith("fix: ")
    if spoil is not newer:  # of that one the log is written back
        assert _state(data_dir / "city.sqlite3") == before
        assert [f for f in faults(told_by_doctor(run, data_dir, {})) if cause in f]


def _state(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


# C14


def limited(files: int) -> tuple[str, ...]:
    """A command line of ours with so few open files."""
    return ("bash", "-c", f'ulimit -n {files}; exec "$@"', "-", *FROM_CHECKOUT)


def answered(client: httpx2.Client) -> int:
    """The status of a server that may close some connections before it takes one."""
    for _ in range(50):
        with suppress(httpx2.ReadError, httpx2.RemoteProtocolError):
            return client.get("/livez").status_code
        time.sleep(0.1)
    return client.get("/livez").status_code


def test_c14_server_with_few_open_files_survives_many_connections(tmp_path: Path) -> None:
    with serving(tmp_path, command=limited(64)) as server, server.client() as client:
        lines = [socket.create_connection(server.address) for _ in range(100)]
        for line in lines:
            line.close()

        assert answered(client) == 200
        answer = client.post("/api/files", files={"file": ("a.txt", b"one")})

        assert answer.status_code == 201
        assert server.alive
        assert "open files: 64 files may be open at once" in server.stderr


def test_c14_too_few_open_files_are_refused(tmp_path: Path) -> None:
    found = civitas("serve", "--port", "0", "--data-dir", tmp_path, command=limited(40))

    assert found.returncode == 78
    assert "open files: 40 files may be open at once" in found.stderr
    assert "remedy: ulimit -n 1024" in found.stderr


def test_c14_temporary_folder_that_cannot_be_written_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)

    assert faults(told_by_doctor(run, tmp_path, {})) == ["temporary folder: none can be written"]


def test_address_that_is_open_to_all_is_told(run: Run, tmp_path: Path) -> None:
    document = told_by_doctor(run, tmp_path, {"CIVITAS_HOST": "0.0.0.0"})

    (fault,) = faults(document)
    assert fault.startswith("access: 0.0.0.0 is not a loopback address")


def test_folder_that_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    (fault,) = faults(told_by_doctor(run, tmp_path / "file" / "city", {}))

    assert fault == f"data folder: {tmp_path}/file/city cannot be written"

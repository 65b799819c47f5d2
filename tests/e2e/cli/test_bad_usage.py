"""Wrong use of the command line, by the numbers of the list of bad inputs, as processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT, Server, civitas, clean_environment, serving

pytestmark = pytest.mark.slow

MAIN = [sys.executable, str(ROOT / "main.py")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("usage") / "data", max_upload_bytes=5_000_000) as running:
        yield running


def told(stderr: str) -> tuple[str, str]:
    """The cause and the remedy, each one line, and nothing else."""
    cause, remedy = stderr.splitlines()
    assert cause.startswith("error: ")
    assert remedy.startswith("fix: ")
    return cause, remedy


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        pytest.param(["mesh"], "mash", id="C1-unknown-command"),
        pytest.param(["files", "lst"], "list", id="C1-unknown-command-of-a-group"),
        pytest.param(["mash", "--fromat", "md", "x"], "--format", id="C1-unknown-flag"),
        pytest.param(["mash"], "FILE", id="C1-missing-argument"),
        pytest.param(["run", "list", "--limit", "abc"], "--limit", id="C1-no-number"),
        pytest.param(["lineage", "finding", "x", "--number", "0"], "--number", id="C1-range"),
        pytest.param(["files", "release", "x"], "--reason", id="C1-missing-option"),
    ],
)
def test_c1_wrong_usage(arguments: list[str], cause: str) -> None:
    done = civitas(*arguments)

    assert done.returncode == 2
    assert cause in done.stderr
    assert "Traceback" not in done.stderr
    told(done.stderr)


@pytest.mark.parametrize("kind", ["missing", "folder", "device", "pipe", "larger", "empty-stdin"])
def test_c2_file_that_cannot_be_read(server: Server, tmp_path: Path, kind: str) -> None:
    path, cause = tmp_path / "rain.csv", kind
    match kind:
        case "missing":
            cause = "does not exist"
        case "folder":
            path.mkdir()
            cause = "directory"
        case "device":
            path, cause = Path("/dev/zero"), "is a device, not a file"
        case "pipe":
            os.mkfifo(path)
            cause = "is a pipe, not a file"
        case "larger":
            with path.open("wb") as sparse:
                sparse.truncate(10 * 1024**3)
            cause = "more than 5000000 bytes"
        case _:
            path, cause = Path("-"), "holds no content"
    begun = time.monotonic()

    done = subprocess.run(
        [*MAIN, "mash", str(path), "--data-dir", str(server.data_dir)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT,
        env=clean_environment() | {"CIVITAS_MAX_UPLOAD_BYTES": "5000000"},
    )  # fmt: skip

    assert done.returncode in {1, 2, 3}
    assert cause in done.stderr
    assert "Traceback" not in done.stderr
    told(done.stderr)
    assert time.monotonic() - begun < 20


def test_c4_interrupt_leaves_the_journey_alone(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    file.write_text("a,b,c\n" + "".join(f"{n},{n * 7 % 91},word {n % 13}\n" for n in range(60_000)))
    process = subprocess.Popen(
        [*MAIN, "mash", str(file), "--data-dir", str(server.data_dir)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, env=clean_environment(),
    )  # fmt: skip
    with server.client() as client:
        for _ in range(400):
            if runs := client.get("/api/journey/runs").json()["result"]["runs"]:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
        for _ in range(600):
            run = client.get(f"/api/journey/runs/{runs[0]['run_id']}").json()["result"]
            if run["status"] not in {"running", "queued", "pending"}:
                break
            time.sleep(0.05)

    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert run["status"] == "succeeded"


def test_c4_reader_that_goes_away_is_no_fault(server: Server) -> None:
    shell = f'{" ".join(MAIN)} policy show --data-dir "{server.data_dir}" | head -1'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell],
        capture_output=True, text=True, timeout=30, cwd=ROOT, env=clean_environment(), check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("default ")


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"NO_COLOR": "1"}, id="C5-no-colour"),
        pytest.param({"LANG": "C", "LC_ALL": "C"}, id="C5-plain-C"),
        pytest.param({"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"}, id="C5-not-UTF-8"),
        pytest.param({"COLUMNS": "20"}, id="C5-narrow"),
        pytest.param({"TERM": "dumb"}, id="C5-dumb"),
    ],
)
def test_c5_any_terminal_gets_readable_words(server: Server, environment: dict[str, str]) -> None:
    plain = civitas("policy", "show", "--data-dir", server.data_dir, environment=environment)
    data = civitas(
        "policy", "show", "--json", "--data-dir", server.data_dir, environment=environment
    )

    assert (plain.returncode, plain.stderr) == (0, "")
    assert "\x1b[" not in plain.stdout
    assert "A file has at most 1,000,000,000 bytes." in plain.stdout
    assert json.loads(data.stdout)["name"] == "default"
    assert data.stdout.isascii()


def test_commands_of_files_tell_what_there_is(server: Server, tmp_path: Path) -> None:
    def told_of(*arguments: str) -> str:
        done = civitas(*arguments, "--data-dir", server.data_dir, environment={"COLUMNS": "200"})
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    eicar = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    with server.client() as client:
        for text in (b"day one", b"day two"):
            record = client.post("/api/files", files={"file": ("log.txt", text)}).json()["result"]
        client.post("/api/files", files={"file": ("one.txt", eicar)})
        client.post("/api/files", files={"file": ("two.txt", eicar)})
    apart = json.loads(told_of("files", "quarantine", "--json"))["files"]
    one, two = (next(f["file_id"] for f in apart if f["name"] == name)
                for name in ("one.txt", "two.txt"))  # fmt: skip

    assert record["file_id"] in told_of("files", "list")
    assert told_of("files", "versions", record["file_id"]).count("log.txt") == 2
    assert "in quarantine" in told_of("files", "usage")
    assert json.loads(told_of("files", "usage", "--json"))["quarantined"] == 2 * len(eicar)
    assert f"{one} is stored" in told_of("files", "release", one, "--reason", "our own test")
    assert f"{two} is destroyed" in told_of("files", "destroy", two, "--reason", "our own test")
    assert json.loads(told_of("files", "quarantine", "--json"))["files"] == []

"""What the command line says and exits with when something is not as it should be."""

import os
import platform as machine
import resource
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import pytest

from foundations.boot import Duty
from foundations.experience.command_line import main
from foundations.experience.exit_codes import exit_code, worst
from foundations.public_works.settings import Settings
from utilities.errors import ErrorKind, FieldError, PlatformError

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {"fastapi", "starlette", "sqlalchemy", "dependency_injector", "pydantic", "polars", "numpy"}


class CityIsDown(PlatformError):
    """Nothing works today."""

    kind = ErrorKind.CONFIGURATION


class BrokenCity:
    """A city that does not boot, for the reason given."""

    error: BaseException = CityIsDown("first line\nsecond line", hint="wait for tomorrow")

    def __init__(
        self, settings: Settings, *, working: bool = True, duty: Duty | None = None
    ) -> None:
        self.settings = settings

    async def __aenter__(self) -> NoReturn:
        raise self.error

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        return None

    @classmethod
    def because(cls, error: BaseException) -> type[Self]:
        return type("BrokenCity", (cls,), {"error": error})


@pytest.fixture(autouse=True)
def quiet_hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave the interpreter's last word as it was, and write nothing into the checkout."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.chdir(tmp_path)


def test_help_loads_nothing_heavy() -> None:
    script = "import main, sys\ntry: main.run()\nfinally: print(*sys.modules, file=sys.stderr)"

    found = python("-c", script, "--help")

    assert found.returncode == 0
    assert "serve" in found.stdout
    assert not HEAVY & {name.split(".")[0] for name in found.stderr.split()}


def test_serving_imports_no_commands_of_rooms() -> None:
    script = (
        "import sys; from foundations.experience.command_line import application;"
        "application('serve'); print(*sys.modules)"
    )

    found = python("-c", script)

    assert found.returncode == 0
    assert not [name for name in found.stdout.split() if name.endswith("commands")]


def test_help_takes_less_than_half_a_second_of_a_processor(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(tmp_path)}
    for unwanted in (
        "PYTHONDONTWRITEBYTECODE",
        "COVERAGE_PROCESS_START",
        "COVERAGE_PROCESS_CONFIG",
    ):
        environment.pop(unwanted, None)

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "main.py", "--help"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    seconds()  # writes the bytecode

    assert min(seconds() for _ in range(3)) < 0.5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serv"], "Did you mean 'serve', 'search'?"),
        (["serve", "--prot", "1"], "--port"),
        (["serve", "--port", "abc"], "--port"),
        (["new", "realm"], "Missing argument"),
        (["new"], "Missing command"),
    ],
)
def test_wrong_usage_exits_2_with_cause_and_remedy(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(BrokenCity, arguments) == 2

    cause, remedy = capsys.readouterr().err.splitlines()
    assert cause.startswith("error: ")
    assert said in cause
    assert remedy.startswith("fix: see `civitas")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com"])
def test_host_other_than_loopback_is_refused(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(BrokenCity, ["serve", "--host", host]) == 3

    cause, remedy = capsys.readouterr().err.splitlines()
    assert "there is no access token" in cause
    assert "CIVITAS_ACCESS_TOKEN" in remedy


def test_host_other_than_loopback_is_served_with_an_access_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIVITAS_ACCESS_TOKEN", "q7Zk2-Vw9sXe4Rt6Yu8Io0Pl3Mn5Bv1Cx")

    assert main(BrokenCity, ["serve", "--host", "192.0.2.1"]) == 1

    assert "cannot serve 192.0.2.1 port 8000" in capsys.readouterr().err  # not an address of ours


def test_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert main(BrokenCity, ["serve", "--port", port]) == 1

    assert f"error: cannot serve 127.0.0.1 port {port}: " in capsys.readouterr().err


def test_city_that_does_not_boot_is_told_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(BrokenCity, ["serve", "--port", "0"]) == 78

    told = capsys.readouterr().err.splitlines()
    assert told == ["error: first line", "second line", "fix: wait for tomorrow"]


def test_faults_of_fields_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    error = CityIsDown("two fields", errors=[FieldError("/a", "is bad"), FieldError("/b", "too")])

    main(BrokenCity.because(error), ["serve", "--port", "0"])

    assert "  /a: is bad\n  /b: too\n" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--debug", "serve"], ["serve", "--debug"]])
def test_debug_shows_the_traceback(arguments: list[str]) -> None:
    with pytest.raises(CityIsDown):
        main(BrokenCity, [*arguments, "--port", "0"])


def test_faulty_settings_exit_78(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CIVITAS_PORT", "x")
    monkeypatch.setenv("CIVITAS_HOTS", "x")

    assert main(BrokenCity, ["serve"]) == 78

    told = capsys.readouterr().err
    assert "CIVITAS_PORT" in told
    assert "CIVITAS_HOTS" in told


def test_interrupt_exits_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(BrokenCity.because(KeyboardInterrupt()), ["serve", "--port", "0"]) == 130


def test_unexpected_fault_is_told_in_two_lines(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom foundations.experience.command_line import main\n"
        "def city(settings, working=True): raise ZeroDivisionError('a\\x1b[31m')\n"
        "sys.exit(main(city, ['serve', '--port', '0']))"
    )

    found = python("-c", script)

    assert found.returncode == 1
    assert found.stderr.splitlines()[0] == "error: ZeroDivisionError: a[31m"
    assert "Traceback" not in found.stderr


def test_closed_pipe_ends_quietly() -> None:
    command = f"{sys.executable} main.py --help | true; exit ${{PIPESTATUS[0]}}"

    found = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (found.returncode, found.stderr) == (0, "")


def test_windows_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "system", lambda: "Windows")

    assert main(BrokenCity, ["--help"]) == 3

    assert "POSIX" in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["20", "200"])
def test_help_is_readable_in_plain_c_locale_and_any_width(columns: str) -> None:
    found = python("main.py", "--help", COLUMNS=columns, LANG="C", LC_ALL="C", NO_COLOR="1")

    assert found.stdout.isascii()
    assert "serve" in found.stdout


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ErrorKind.REFUSED, 3),
        (ErrorKind.UNSUPPORTED, 3),
        (ErrorKind.CONFLICT, 3),
        (ErrorKind.CONFIGURATION, 78),
        (ErrorKind.INVALID, 1),
        (ErrorKind.NOT_FOUND, 1),
        (ErrorKind.INTERNAL, 1),
    ],
)
def test_exit_code_of_an_error_follows_its_kind(kind: ErrorKind, code: int) -> None:
    error = type("Fault", (PlatformError,), {"kind": kind})("it failed")

    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("codes", "one"), [([], 0), ([0, 0], 0), ([0, 3], 3), ([3, 3], 3), ([3, 1, 0], 1)]
)
def test_several_exit_codes_become_one(codes: list[int], one: int) -> None:
    assert worst(codes) == one


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )

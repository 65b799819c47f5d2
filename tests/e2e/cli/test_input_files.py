"""Files named on the command line (bad input C2): the exact cause, and no hang."""

import io
import os
import socket
import sys
from pathlib import Path

import pytest

from foundations.experience.input_files import InputTooLarge, InputUnusable, opened


def test_file_is_read_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,b\n1,2\n")

    with opened(str(file), limit=8) as found:
        assert (found.path, found.name) == (file, "a.csv")


def test_standard_input_is_spooled_for_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    send_to_stdin(monkeypatch, b"a,b\n1,2\n")

    with opened("-", limit=8) as found:
        assert found.path.read_bytes() == b"a,b\n1,2\n"

    assert not found.path.exists()


def test_endless_standard_input_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/zero").open("rb") as endless:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(endless))

        with pytest.raises(InputTooLarge, match="standard input has more than 100 bytes"):
            enter("-", limit=100)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputUnusable, match=r"gone\.csv does not exist"):
        enter(str(tmp_path / "gone.csv"))


def test_directory_is_named_as_one(tmp_path: Path) -> None:
    with pytest.raises(InputUnusable, match="is a directory, not a file"):
        enter(str(tmp_path))


def test_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(InputUnusable, match="is a pipe, not a file") as refused:
        enter(str(tmp_path / "pipe"))

    assert "name - as the file" in refused.value.hint


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_device_is_refused(device: str) -> None:
    with pytest.raises(InputUnusable, match="is a device, not a file"):
        enter(device)


def test_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")

        with pytest.raises(InputUnusable, match="is a socket, not a file"):
            enter("s")


def test_file_over_the_limit_is_refused_before_reading(tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as sparse:
        sparse.truncate(10 * 1024**3)

    with pytest.raises(InputTooLarge, match="has more than 1000 bytes"):
        enter(str(file), limit=1000)


def test_unreadable_file_is_named_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a")

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(InputUnusable, match="may not be read"):
        enter(str(file))


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_name_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(InputUnusable, match="cannot be read"):
        enter(name)


def enter(argument: str, *, limit: int = 1000) -> None:
    with opened(argument, limit=limit):
        pass


def send_to_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

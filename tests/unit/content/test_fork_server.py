"""The process that children are forked from, run in this one; its forks are stand-ins."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from foundations.public_works.parsing import fork_server
from foundations.public_works.parsing.fork_server import STATUS, ForkServer


@pytest.fixture
def control() -> Iterator[tuple[socket.socket, socket.socket]]:
    handler = signal.getsignal(signal.SIGCHLD)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs
    signal.signal(signal.SIGCHLD, handler)


def ask(control: socket.socket) -> socket.socket:
    """Ask for a child; the answer is our end of its status."""
    ours, theirs = socket.socketpair()
    talk, noise = os.pipe()
    socket.send_fds(control, [b"f"], [talk, noise, theirs.fileno()])
    os.close(talk)
    os.close(noise)
    theirs.close()
    return ours


def forks(monkeypatch: pytest.MonkeyPatch, *command: str) -> None:
    def fork() -> int:
        return os.posix_spawnp(command[0], command, os.environ, setpgroup=0)

    monkeypatch.setattr(os, "fork", fork)


def serve(theirs: socket.socket, then: Any) -> None:
    """Serve in the main thread, where signals are heard; `then` runs beside it and hangs up."""
    beside = threading.Thread(target=then)
    beside.start()
    ForkServer(theirs, lambda: 0).serve()
    beside.join()


def test_end_of_a_child_is_told(
    control: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = control
    forks(monkeypatch, "sh", "-c", "exit 7")
    told = []

    def then() -> None:
        with ask(ours) as status:
            told.append(status.recv(STATUS.size))
        ours.close()

    serve(theirs, then)

    assert STATUS.unpack(told[0]) == (7,)


def test_child_nobody_waits_for_is_killed(
    control: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = control
    forks(monkeypatch, "sleep", "60")
    told = []

    def then() -> None:
        with ask(ours) as status:
            status.shutdown(socket.SHUT_WR)
            told.append(status.recv(STATUS.size))
        ours.close()

    serve(theirs, then)

    assert STATUS.unpack(told[0]) == (-signal.SIGKILL,)


def test_children_are_killed_when_the_server_hangs_up(
    control: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = control
    started: list[subprocess.Popen[bytes]] = []

    def fork() -> int:
        started.append(subprocess.Popen(["sleep", "60"], start_new_session=True))
        return started[0].pid

    monkeypatch.setattr(os, "fork", fork)
    ask(ours).detach()
    ours.shutdown(socket.SHUT_WR)

    ForkServer(theirs, lambda: 0).serve()

    assert started[0].wait(5) == -signal.SIGKILL


def test_child_that_ends_as_it_is_given_up_harms_no_other(
    control: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = control
    forks(monkeypatch, "sh", "-c", "exit 7")
    has_ended, given_up, told = threading.Event(), threading.Event(), []
    server = ForkServer(theirs, lambda: 0)
    select = server._events.select

    def both_at_once() -> Any:
        if server._children:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            has_ended.set()
            assert given_up.wait(5)
        return select()

    def then() -> None:
        with ask(ours) as status:
            assert has_ended.wait(5)
            status.shutdown(socket.SHUT_WR)
            given_up.set()
            told.append(status.recv(STATUS.size))
        ours.close()

    monkeypatch.setattr(server._events, "select", both_at_once)
    beside = threading.Thread(target=then)
    beside.start()
    server.serve()
    beside.join()

    assert STATUS.unpack(told[0]) == (7,)


class Ended(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize(("work", "code"), [(lambda: 3, 3), (lambda: 1 // 0, 1)])
def test_child_ends_with_its_code_and_tells_of_what_was_raised(
    control: tuple[socket.socket, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    work: Any,
    code: int,
) -> None:
    codes = []
    made = ForkServer(control[1], work)
    made._events.close()

    def ended(given: int) -> None:
        codes.append(given)
        raise Ended

    for name in ("setsid", "dup2", "closerange"):
        monkeypatch.setattr(os, name, lambda *_: None)
    monkeypatch.setattr(os, "_exit", ended)
    monkeypatch.setattr(made, "_die_with_parent", lambda: None)

    with pytest.raises(Ended):
        made._become_child(10, 11, last=made._highest())

    assert codes == [code]
    assert ("ZeroDivisionError" in capsys.readouterr().err) is (code == 1)


def test_module_is_prepared_before_anything_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    prepared = []
    module = SimpleNamespace(main=lambda: 0, prepare=lambda: prepared.append(True))
    monkeypatch.setattr(fork_server, "import_module", lambda _: module)
    monkeypatch.setattr(os, "dup", lambda _: theirs.detach())
    handler = signal.getsignal(signal.SIGCHLD)
    ours.close()

    assert fork_server.main(["any"]) == 0

    signal.signal(signal.SIGCHLD, handler)
    assert prepared == [True]

"""A process with everything loaded, which forks a child for each request and outlives none.

`python -m foundations.public_works.parsing.fork_server MODULE`, its standard input a socket. Each
message on that socket carries three descriptors: what the child talks over, where it writes its
noise, and where its end is told. The child calls `MODULE.main()`. This process never sees a
request, and so nothing of a file: it stays as clean as it began.
"""

import ctypes
import os
import selectors
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

DESCRIPTORS = 3
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
STATUS = struct.Struct("!i")
"""How a child's end is told: its exit code, or the signal that ended it, negative."""


def main(arguments: list[str]) -> int:
    """Load the module, then fork until the socket closes."""
    module = import_module(arguments[0])
    prepare: Callable[[], None] | None = getattr(module, "prepare", None)
    if prepare is not None:
        prepare()
    with socket.socket(fileno=os.dup(0)) as control:
        ForkServer(control, module.main).serve()
    return 0


class ForkServer:
    """Forks children, kills those nobody waits for any more, tells how each one ended."""

    def __init__(self, control: socket.socket, work: Callable[[], int]) -> None:
        self._control = control
        self._work = work
        self._children: dict[int, socket.socket] = {}
        self._events = selectors.DefaultSelector()
        self._open = True
        self._pid = os.getpid()
        self._prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def serve(self) -> None:
        """Work until the other end of the control socket is closed, then leave no child."""
        woken, wake = socket.socketpair()
        with woken, wake:
            wake.settimeout(0)
            woken.settimeout(0)
            signal.signal(signal.SIGCHLD, lambda *_: None)
            signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
            self._events.register(woken, selectors.EVENT_READ, self._reap)
            self._events.register(self._control, selectors.EVENT_READ, self._accept)
            while self._open:
                for key, _ in self._events.select():
                    key.data(key.fileobj)
            for pid, status in self._children.items():
                _kill_group(pid)
                status.close()
            signal.set_wakeup_fd(-1)
            self._events.close()

    def _accept(self, control: socket.socket) -> None:
        message, descriptors, _, _ = socket.recv_fds(control, 1, DESCRIPTORS)
        if not message:
            self._open = False
            return
        talk, noise, told = descriptors
        pid = os.fork()
        if pid == 0:
            self._become_child(talk, noise, last=max(told, self._highest()))
        os.close(talk)
        os.close(noise)
        status = socket.socket(fileno=told)
        self._children[pid] = status
        self._events.register(status, selectors.EVENT_READ, lambda _: self._give_up(pid))

    def _become_child(self, talk: int, noise: int, *, last: int) -> None:
        """Forget the parent, do the work, and end without running what the parent set up."""
        code = 1
        try:
            os.setsid()
            self._die_with_parent()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor, standard in ((talk, 0), (talk, 1), (noise, 2)):
                os.dup2(descriptor, standard)
            os.closerange(3, max(talk, noise, last) + 1)
            code = self._work()
        finally:
            with suppress(OSError, ValueError):
                if error := sys.exception():
                    traceback.print_exception(error)
                sys.stderr.flush()
            os._exit(code)  # whatever was raised is told by the exit code

    def _die_with_parent(self) -> None:
        """Have the kernel kill this child when the process it was forked from is killed."""
        if self._prctl is not None:
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._pid:
            os._exit(1)

    def _highest(self) -> int:
        """The highest descriptor this process holds for itself and its children."""
        return max(status.fileno() for status in [self._control, *self._children.values()])

    def _give_up(self, pid: int) -> None:
        """Kill a child and all it started: whoever waited for it has hung up."""
        if pid in self._children:  # else it has just ended, and its number may be another's
            self._events.unregister(self._children[pid])
            _kill_group(pid)

    def _reap(self, woken: socket.socket) -> None:
        """Tell of every child that ended, after killing what it left behind."""
        with suppress(BlockingIOError):
            while woken.recv(4096):
                pass
        for pid in list(self._children):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill_group(pid)  # before its number is free for another process
            _, status = os.waitpid(pid, 0)
            with self._children.pop(pid) as told, suppress(OSError):
                with suppress(KeyError):
                    self._events.unregister(told)
                told.sendall(STATUS.pack(os.waitstatus_to_exitcode(status)))


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # one that has not yet a group of its own


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

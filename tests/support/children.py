"""Children that misbehave, as a fork server starts them: told how on standard input."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from foundations.public_works.parsing import frames
from foundations.public_works.parsing.child import MEMORY_EXIT, limit


def answer(said: dict[str, Any]) -> None:
    frames.send(1, json.dumps(said).encode())


def main() -> int:
    try:
        while (told := frames.receive(0)) is not None:
            code = misbehave(json.loads(told))
            if code is not None:
                return code
    except MemoryError:
        return MEMORY_EXIT
    return 0


def misbehave(request: dict[str, Any]) -> int | None:  # noqa: C901 - a list of cases
    """What the exit code is, or None to go on."""
    limit(request["limits"])
    match request["do"]:
        case "go on":
            answer({"result": os.getpid(), "again": True})
            return None
        case "crash when used":
            if request["pid"] == os.getpid():
                os.kill(os.getpid(), signal.SIGSEGV)
            answer({"result": os.getpid()})
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(600)
        case "allocate":
            held = [bytearray(50 * 2**20) for _ in range(1_000)]
            return len(held)
        case "abort":
            os.write(2, b"memory allocation of 12845072 bytes failed\n")
            os.kill(os.getpid(), signal.SIGABRT)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "raise":
            raise RuntimeError(request["why"])
        case "silence":
            return 0
        case "chatter":
            os.write(2, b"x" * 300_000)
            answer({"result": "heard"})
        case "babble":
            frames.send(1, b"no JSON")
            return None
        case "talk without end":
            frames.send(1, b"x" * 5_000_000)
            return None
        case "grandchild":
            lock = os.open(request["lock"], os.O_RDWR)
            fcntl.flock(lock, fcntl.LOCK_EX)  # held until this process and its child have ended
            subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL, pass_fds=[lock])
            time.sleep(600)
        case "once":
            lock = os.open(request["lock"], os.O_RDWR)
            if os.read(lock, 1):
                answer({"result": "again"})
                return 0
            os.write(lock, b"x")
            fcntl.flock(lock, fcntl.LOCK_EX)
            time.sleep(600)
        case "descriptors":
            found = sorted(int(path.name) for path in Path("/proc/self/fd").iterdir())
            answer({"result": found[:-1]})  # the last is the listing's
        case "environment":
            told = {"environment": dict(os.environ), "path": sys.path}
            answer({"result": told})
    return 0

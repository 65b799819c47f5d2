"""Mutated real files on the parsers' road of a real server: each gets a result or a clear problem.

Run it by `python -m tests.chaos.fuzz_files [--files N] [--seed N] [--only N] [--keep FOLDER]
[--json]`. It ends with 1 when a promise is broken: an answer of 5xx, one that is no problem
document or names no code, a server that is gone or grows without end, a process or a file left.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from secrets import randbelow
from typing import Any

import httpx2

from tests.support.mutating import Mutated, mutated
from tests.support.processes import Server, serving

PARSE = "/api/business_enablement/content_analysis_orchestrator/parse_file"
LANES = 3
GROWTH = 400 * 2**20
"""Bytes a server may grow over a whole trial: what is loaded once, and caches that have ends."""
_CLEAR = range(400, 500)
_WARM = 20


@dataclass(slots=True)
class Found:
    """What a trial came to."""

    seed: int
    files: int = 0
    results: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    slowest: float = 0.0
    grown: int = 0

    def figures(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "results": self.results,
            "problems": dict(self.problems.most_common()),
            "broken": len(self.broken),
            "slowest_s": round(self.slowest, 2),
            "grown_mb": round(self.grown / 2**20),
            "seed": self.seed,
        }


def fuzz(numbers: Iterable[int], *, seed: int, keep: Path | None = None) -> Found:
    """Send the files of these numbers to a server of their own."""
    found = Found(seed)
    with (
        tempfile.TemporaryDirectory(prefix="civitas-fuzz-") as folder,
        serving(Path(folder) / "data", max_upload_bytes=2_000_000) as server,
        server.client() as client,
        ThreadPoolExecutor(LANES) as lanes,
    ):
        for number in range(_WARM):
            _answered(client, mutated(0, number))
        before = server.resident_bytes

        def one(number: int) -> None:
            _judge(client, mutated(seed, number), number, found, keep)

        for _ in lanes.map(one, numbers):
            if not server.alive:
                found.broken.append("the server is gone")
                break
        if server.alive:
            found.grown = server.resident_bytes - before
            found.broken += _left(server, found.grown)
    return found


def _judge(
    client: httpx2.Client, file: Mutated, number: int, found: Found, keep: Path | None
) -> None:
    started = time.monotonic()
    try:
        code = _answered(client, file)
    except (httpx2.HTTPError, AssertionError, ValueError, KeyError) as error:
        found.broken.append(f"{number} ({file.how}): {type(error).__name__}: {error}"[:400])
        if keep is not None:
            (keep / f"{found.seed}-{number}-{file.name}").write_bytes(file.data)
        code = "broken"
    found.files += 1
    found.slowest = max(found.slowest, time.monotonic() - started)
    if code:
        found.problems[code] += 1
    else:
        found.results += 1


def _answered(client: httpx2.Client, file: Mutated) -> str:
    """The code of the problem a file got; "" when it was read.

    Raises:
        AssertionError: the answer is none that a user could do something with.
    """
    answer = client.post("/api/files", files={"file": (file.name, file.data)})
    if answer.status_code == 201:
        file_id = answer.json()["result"]["file_id"]
        answer = client.post(PARSE, json={"file_id": file_id})
        if answer.status_code == 200:
            assert answer.json()["result"]["parse_result"]["media_type"], "no media type"
            return ""
    problem = answer.json()
    assert answer.status_code in _CLEAR, f"{answer.status_code}: {answer.text[:200]}"
    assert problem["code"], "no code"
    assert problem["detail"], "no detail"
    return str(problem["code"])


def _left(server: Server, grown: int) -> Iterable[str]:
    until = time.monotonic() + 10
    while server.readers and time.monotonic() < until:
        time.sleep(0.05)
    if server.readers:
        yield f"processes are left: {len(server.readers)}"
    if server.staged:
        yield f"files are left in the staging folder: {len(server.staged)}"
    if grown > GROWTH:
        yield f"the server grew by {grown // 2**20} MB"
    if '"level": "ERROR"' in server.log or '"level":"ERROR"' in server.log:
        yield "the log tells of errors of the server's own"


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, run the trial, print what it came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.fuzz_files", description=__doc__)
    parser.add_argument("--files", type=int, default=1_000, help="how many")
    parser.add_argument("--seed", type=int, default=randbelow(2**31), help="of the mutations")
    parser.add_argument("--only", type=int, help="replay the file of this number alone")
    parser.add_argument("--keep", type=Path, help="a folder for files that broke a promise")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    given = parser.parse_args(arguments)
    numbers = range(given.files) if given.only is None else [given.only]
    found = fuzz(numbers, seed=given.seed, keep=given.keep)
    for line in found.broken:
        sys.stderr.write(f"broken: {line}\n")
    figures = found.figures()
    told = json.dumps(figures) if given.json else "\n".join(f"{k}: {v}" for k, v in figures.items())
    sys.stdout.write(told + "\n")
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main())

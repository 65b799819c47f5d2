"""Whatever a child does, its end is told in the platform's words and nothing of it stays."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foundations.public_works.adapters import child_process
from foundations.public_works.adapters.child_process import ChildProcessParsers
from foundations.public_works.adapters.forked_children import ChildLimits, ForkedChildren
from foundations.public_works.archives import Truncated
from foundations.public_works.parsing.faults import (
    ParseMemoryExceeded,
    ParserCrashed,
    ParserUnavailable,
    ParseTimeout,
)
from foundations.public_works.settings import Settings

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
LIMITS = ChildLimits(cpu_seconds=20, memory_bytes=512 * 2**20, wall_seconds=30)


MODULE = "tests.support.children"


@pytest.fixture(scope="module", name="children")
def forked() -> Iterator[ForkedChildren]:
    made = ForkedChildren(MODULE)
    yield made
    made.close()


async def told(
    children: ForkedChildren,
    do: str,
    limits: ChildLimits = LIMITS,
    *,
    tenant: str = "",
    **more: Any,
) -> Any:
    return await children.run({"do": do, **more}, limits, tenant=tenant)


async def test_u23_child_that_spins_is_killed_at_its_processor_limit(
    children: ForkedChildren,
) -> None:
    started = time.perf_counter()

    with pytest.raises(ParseTimeout, match="1 s of processor time") as caught:
        await told(children, "spin", ChildLimits(1, 512 * 2**20, wall_seconds=30))

    assert caught.value.code == "parse_timeout"
    assert time.perf_counter() - started < 10


async def test_child_that_sleeps_is_killed_at_its_limit_on_the_wall(
    children: ForkedChildren,
) -> None:
    with pytest.raises(ParseTimeout, match=r"0\.5 s"):
        await told(children, "sleep", ChildLimits(20, 512 * 2**20, wall_seconds=0.5))


async def test_child_never_stalls_the_event_loop(children: ForkedChildren) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.ensure_future(tick())
    with pytest.raises(ParseTimeout):
        await told(children, "spin", ChildLimits(20, 512 * 2**20, wall_seconds=0.8))
    ticking.cancel()

    assert ticks > 20


@pytest.mark.parametrize("do", ["allocate", "abort", "killed"])
async def test_child_without_memory_says_so(children: ForkedChildren, do: str) -> None:
    with pytest.raises(ParseMemoryExceeded, match="512 MiB"):
        await told(children, do)


@pytest.mark.parametrize(
    ("do", "end"),
    [("segfault", "signal SIGSEGV"), ("raise", "exit code 1"), ("silence", "exit code 0")],
)
async def test_child_that_crashes_tells_no_more_than_how(
    children: ForkedChildren, do: str, end: str
) -> None:
    with pytest.raises(ParserCrashed, match=end) as caught:
        await told(children, do, why="a secret")

    assert "secret" not in str(caught.value)


async def test_noise_beside_the_answer_is_no_harm(children: ForkedChildren) -> None:
    assert await told(children, "chatter") == "heard"


@pytest.mark.parametrize("do", ["babble", "talk without end"])
async def test_child_that_says_what_nobody_can_read_is_ended(
    children: ForkedChildren, do: str
) -> None:
    started = time.perf_counter()

    with pytest.raises((ParserCrashed, ParseMemoryExceeded)):
        await told(children, do)

    assert time.perf_counter() - started < 10


async def test_child_sees_no_settings_and_finds_this_very_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CIVITAS_MODEL_API_KEY", "a secret")

    children = ForkedChildren(MODULE)  # its process begins with the environment of this moment

    answer = await told(children, "environment")

    assert not any(name.startswith("CIVITAS") for name in answer["environment"])
    assert answer["path"][0] == str(ROOT)


async def test_cancelled_call_leaves_no_process(children: ForkedChildren, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    running = asyncio.ensure_future(told(children, "grandchild", lock=str(lock)))
    while not _held(lock):  # noqa: ASYNC110 - another process holds it
        await asyncio.sleep(0.01)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    async with asyncio.timeout(5):
        while _held(lock):  # noqa: ASYNC110 - another process holds it
            await asyncio.sleep(0.01)
    assert not _held(lock)


async def test_children_do_not_see_what_belongs_to_each_other(children: ForkedChildren) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(told(children, "descriptors"))
        found = await told(children, "descriptors")

    assert found == [0, 1, 2]


# --- children that go on -----------------------------------------------------------------------


async def test_child_that_goes_on_takes_the_next_request_of_its_tenant_alone(
    children: ForkedChildren,
) -> None:
    first = await told(children, "go on", tenant="north")

    assert await told(children, "go on", tenant="north") == first
    assert await told(children, "go on", tenant="south") != first


async def test_child_that_waits_for_another_tenant_makes_room(children: ForkedChildren) -> None:
    first = await told(children, "go on", tenant="north")

    await told(children, "go on", tenant="south")

    await _ended(first)


async def test_child_that_is_given_nothing_more_ends_by_itself(children: ForkedChildren) -> None:
    await _ended(await told(children, "go on"))


async def test_crash_of_a_child_that_did_others_before_is_tried_anew(
    children: ForkedChildren,
) -> None:
    used = await told(children, "go on")

    assert await told(children, "crash when used", pid=used) != used


async def test_time_of_a_child_that_goes_on_begins_anew_with_each_request(
    children: ForkedChildren,
) -> None:
    used = await told(children, "go on")

    with pytest.raises(ParseTimeout, match="1 s of processor time"):
        await told(children, "spin", ChildLimits(1, 512 * 2**20, wall_seconds=30))
    await _ended(used)


async def test_closing_leaves_no_child_that_waits() -> None:
    mine = ForkedChildren(MODULE)
    waiting = await told(mine, "go on")

    mine.close()

    await _ended(waiting)


async def _ended(pid: int) -> None:
    async with asyncio.timeout(10):
        while Path(f"/proc/{pid}").exists():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def test_prepared_process_that_was_killed_is_started_anew(children: ForkedChildren) -> None:
    assert await told(children, "chatter") == "heard"
    before = children.process_id
    os.kill(before, signal.SIGKILL)

    assert await told(children, "chatter") == "heard"
    assert children.process_id != before


async def test_child_whose_prepared_process_dies_is_done_again_once(
    children: ForkedChildren, tmp_path: Path
) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    running = asyncio.ensure_future(told(children, "once", lock=str(lock)))
    while not _held(lock):  # noqa: ASYNC110 - another process holds it
        await asyncio.sleep(0.01)

    os.kill(children.process_id, signal.SIGKILL)

    assert await running == "again"


async def test_module_that_cannot_be_loaded_is_told() -> None:
    with pytest.raises(ParserUnavailable):
        await told(ForkedChildren("tests.support.nothing"), "chatter")


async def test_closing_leaves_no_process(children: ForkedChildren, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    mine = ForkedChildren(MODULE)
    running = asyncio.ensure_future(told(mine, "grandchild", lock=str(lock)))
    while not _held(lock):  # noqa: ASYNC110 - another process holds it
        await asyncio.sleep(0.01)
    prepared = mine.process_id

    mine.close()

    with pytest.raises(ParserUnavailable):
        await running
    assert mine.process_id == 0
    async with asyncio.timeout(5):
        while _held(lock):  # noqa: ASYNC110 - another process holds it
            await asyncio.sleep(0.01)
    assert not Path(f"/proc/{prepared}").exists()


@pytest.mark.slow
def test_server_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    program = (
        "import asyncio\n"
        "from foundations.public_works.adapters.forked_children import *\n"
        "asyncio.run(ForkedChildren('tests.support.children').run("
        f"{{'do': 'grandchild', 'lock': {str(lock)!r}}}, ChildLimits(20, 2**29, 60)))"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) as server:
        until = time.monotonic() + 30
        while not _held(lock) and time.monotonic() < until:
            time.sleep(0.01)
        assert _held(lock)
        server.kill()

    until = time.monotonic() + 10
    while _held(lock) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _held(lock)


def _held(lock: Path) -> bool:
    """Whether some process holds the lock: the child, or the child of the child."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


# --- the parsers behind the port -----------------------------------------------------------------


def parsers(**settings: Any) -> ChildProcessParsers:
    return ChildProcessParsers(settings=Settings(**settings))


async def test_parser_that_needs_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "_BYTES_A_SECOND", 10**9)
    big = tmp_path / "big.csv"
    big.write_text("a,b,c\n" + "1,2.5,some words\n" * 3_000_000)

    with pytest.raises(ParseTimeout):
        await parsers(parse_cpu_seconds=1).parse(big, tmp_path, name="big.csv")


async def test_large_file_may_take_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "_BYTES_A_SECOND", 10)
    small = tmp_path / "small.csv"
    small.write_text("a,b\n" + "1,2\n" * 200)

    result = await parsers(parse_wall_seconds=0.001).parse(small, tmp_path, name="small.csv")
    assert result.tables[0].row_count == 200


async def test_parser_that_needs_too_much_memory_is_stopped(tmp_path: Path) -> None:
    big = tmp_path / "big.json"
    big.write_text("[" + ",".join(['{"a": [1, 2, 3], "b": {"c": "some words"}}'] * 500_000) + "]")

    with pytest.raises(ParseMemoryExceeded):
        await parsers(parse_memory_bytes=256 * 2**20).parse(big, tmp_path, name="big.json")


async def test_children_beyond_the_processors_wait_for_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most = 0, 0

    async def counted(*_: object, **__: object) -> dict[str, Any]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return {"kind": "text", "name": "a", "media_type": "text/plain"}

    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    busy = parsers()
    monkeypatch.setattr(busy._children, "run", counted)

    await asyncio.gather(*(busy.parse(tmp_path, tmp_path, name="a") for _ in range(20)))

    assert most == 3


async def test_faults_come_out_of_the_child_as_they_were(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"a": ')

    with pytest.raises(Truncated, match="line 1, column 7") as caught:
        await parsers().parse(broken, tmp_path, name="broken.json")
    assert caught.value.hint


async def test_child_works_beside_foreign_packages_of_the_same_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("utilities", "foundations", "polars"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('foreign')")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)

    result = await parsers().parse(Path("table.csv"), Path(), name="table.csv")

    assert result.tables[0].row_count == 1


@pytest.mark.slow
async def test_server_side_imports_nothing_heavy() -> None:
    program = (
        "import sys, realms.business_enablement.container,"
        "foundations.public_works.content_metadata,"
        "foundations.public_works.adapters.child_process,"
        "foundations.public_works.adapters.wordllama_embedder,"
        "foundations.public_works.adapters.yara_scanner;"
        "print([m for m in ('polars', 'numpy', 'kreuzberg', 'wordllama', 'yara_x', 'fastexcel')"
        " if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"

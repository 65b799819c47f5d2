"""Two processes of one city receive and delete the same bytes at the same moment."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from smart_city.content_steward.api import ContentSteward, FileUnknown
from tests.support.postgres import PostgresServer
from tests.support.role_city import NORTH, RoleCity, as_user, role_city

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROUNDS = 12
BYTES = [f"station,rain\nA,{at}.5\n".encode() * 50 for at in range(ROUNDS)]


async def obey(folder: str, url: str) -> None:
    """The other process: does what each line of stdin says, and says what came of it."""
    async with role_city(Path(folder), database_url=url) as city:
        with as_user(NORTH):
            _say("ready")
            for line in sys.stdin:
                _say(await done(city, *line.split()))


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


async def done(city: RoleCity, word: str, what: str) -> str:
    steward = city.get(ContentSteward)
    if word == "delete":
        return str((await steward.delete_file(what)).existed)
    record = await steward.register_upload(city.spool(BYTES[int(what)]), f"{what}.csv")
    return f"{record.file_id} {record.storage_location}"


class Other:
    """The other process, as it is seen from here."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        assert process.stdout
        self._in, self._out = process.stdin, process.stdout

    async def asks(self, *words: str) -> str:
        if words:
            self._in.write((" ".join(words) + "\n").encode())
        return (await self._out.readline()).decode().strip()


@pytest.fixture
async def cities(
    tmp_path: Path, postgres_server: PostgresServer
) -> AsyncIterator[tuple[RoleCity, Other]]:
    with postgres_server.database() as url:
        async with role_city(tmp_path / "one", database_url=url) as city:
            (tmp_path / "two").mkdir()
            (tmp_path / "two" / "objects").symlink_to(city.folder.objects)
            call = f"obey({str(tmp_path / 'two')!r}, {url!r})"
            code = f"import asyncio; from {__name__} import obey; asyncio.run({call})"
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                cwd=Path(__file__).parents[3],
            )  # fmt: skip
            other = Other(process)
            assert await other.asks() == "ready"
            yield city, other
            assert process.stdin
            process.stdin.close()
            assert await process.wait() == 0


async def content(steward: ContentSteward, file_id: str) -> bytes:
    return b"".join([chunk async for chunk in steward.stream_content(file_id)])


async def both(one: Any, other: Any) -> tuple[list[str], list[str]]:
    first, second = await asyncio.gather(one, other)
    return first.split(), second.split()


async def test_same_bytes_in_two_processes_are_one_object_and_nothing_is_lost(
    cities: tuple[RoleCity, Other],
) -> None:
    city, other = cities
    steward = city.get(ContentSteward)
    for at, wanted in enumerate(BYTES):
        digest = hashlib.sha256(wanted).hexdigest()

        # both receive it: two records, one object
        ours, theirs = await both(done(city, "upload", str(at)), other.asks("upload", str(at)))
        assert ours[0] != theirs[0]
        assert ours[1] == theirs[1]
        assert [await content(steward, one) for one in (ours[0], theirs[0])] == [wanted] * 2

        # one is deleted while the other process receives the same bytes once more
        gone, third = await both(done(city, "delete", ours[0]), other.asks("upload", str(at)))
        assert gone == ["True"]
        assert [await content(steward, one) for one in (theirs[0], third[0])] == [wanted] * 2

        # the last two go, each by another process, while a fourth comes
        await steward.delete_file(theirs[0])
        gone, fourth = await both(other.asks("delete", third[0]), done(city, "upload", str(at)))
        assert gone == ["True"]
        assert await content(steward, fourth[0]) == wanted
        with pytest.raises(FileUnknown):
            await steward.get_file(third[0])

        files = [one for one in (await steward.list_files()).files if one.sha256 == digest]
        assert [one.file_id for one in files] == [fourth[0]]
        assert fourth[1] in city.objects()
    assert len(city.objects("client")) == ROUNDS

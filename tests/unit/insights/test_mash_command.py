"""What `mash` makes of several files where their comparison succeeds, fails, or is not due."""

from typing import Any

import pytest

from foundations.experience.exit_codes import DONE, FAILED
from realms.business_enablement.api import MOST_COMPARED
from realms.solution.commands import INSIGHTS, Comparison, Mash, _compared
from utilities.errors import ErrorKind, PlatformError

pytestmark = pytest.mark.anyio


class Slow(PlatformError):
    """It took too long."""

    kind = ErrorKind.TIMEOUT


class Client:
    """Answers as it was told to, and remembers what it was asked."""

    def __init__(self, answer: dict[str, Any] | PlatformError) -> None:
        self._answer = answer
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    async def call(self, service: str, api: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((service, api, arguments))
        if isinstance(self._answer, PlatformError):
            raise self._answer
        return self._answer


class Bar:
    def show(self, done: int, total: int, doing: str) -> None:
        self.shown = (done, total, doing)


def mash(file_id: str, code: int = DONE) -> Mash:
    return Mash("x.csv", record={"file_id": file_id}, code=code)


async def compared(client: Any, *mashes: Mash) -> Comparison:
    return await _compared(client, list(mashes), Bar())


async def test_files_that_were_mashed_are_compared_once_each() -> None:
    client = Client({"comparison_result": {"insights": []}})

    found = await compared(client, mash("a"), mash("b"), mash("a"), mash("c", code=FAILED))

    assert client.asked == [(INSIGHTS, "compare_files", {"file_ids": ["a", "b"]})]
    assert (found.result, found.error, found.code) == ({"insights": []}, None, DONE)


async def test_single_file_is_not_compared_and_very_many_only_in_part() -> None:
    client = Client({"comparison_result": {}})

    assert (await compared(client, mash("a"), mash("a"))) == Comparison()
    await compared(client, *(mash(f"f{n}") for n in range(MOST_COMPARED + 5)))

    assert [len(arguments["file_ids"]) for _, _, arguments in client.asked] == [MOST_COMPARED]


async def test_comparison_that_fails_leaves_what_was_found_in_each_file() -> None:
    found = await compared(Client(Slow("too slow")), mash("a"), mash("b"))

    assert found.result == {}
    assert isinstance(found.error, Slow)
    assert found.code == FAILED

"""Sessions: reused by their owner, unknown to all others, kept over a restart, cheap to keep."""

from datetime import timedelta
from pathlib import Path

import pytest

from foundations.experience.road import CityRequest
from smart_city.traffic_cop import sessions
from smart_city.traffic_cop.api import Session, SessionUnknown, TrafficCop
from smart_city.traffic_cop.records import SessionRecords
from tests.support.role_city import NORTH_SECOND, SOUTH, RoleCity, as_user, role_city
from utilities.context import UserContext

pytestmark = pytest.mark.anyio


def request(session_id: str | None = None) -> CityRequest:
    return CityRequest(service="LibrarianService", api="search", session_id=session_id)


@pytest.fixture
def cop(city: RoleCity) -> TrafficCop:
    return city.get(TrafficCop)


async def test_request_without_a_session_gets_one_that_is_not_kept(cop: TrafficCop) -> None:
    session = await cop.manage_session(request())

    assert session.ephemeral
    assert (session.tenant, session.user_id) == ("north", "first")
    with pytest.raises(SessionUnknown):
        await cop.get_session(session.id)


async def test_session_is_reused_and_counts_its_requests(city: RoleCity, cop: TrafficCop) -> None:
    opened = await cop.open_session()
    city.clock.move(timedelta(seconds=5))

    again = await cop.manage_session(request(opened.id), trace_id="trace-2")

    assert again.id == opened.id
    assert not again.ephemeral
    assert again.requests == 2
    assert again.trace_id == "trace-2"
    assert again.last_seen_at - opened.last_seen_at == timedelta(seconds=5)


@pytest.mark.parametrize("stranger", [NORTH_SECOND, SOUTH])
async def test_session_of_somebody_else_looks_like_none(
    cop: TrafficCop, stranger: UserContext
) -> None:
    opened = await cop.open_session()

    with as_user(stranger):
        for call in (cop.get_session(opened.id), cop.end_session(opened.id)):
            with pytest.raises(SessionUnknown) as refused:
                await call
        with pytest.raises(SessionUnknown):
            await cop.manage_session(request(opened.id))
    with pytest.raises(SessionUnknown) as unknown:
        await cop.manage_session(request("never-opened"))

    assert refused.value.detail == unknown.value.detail
    assert (await cop.get_session(opened.id)).id == opened.id


async def test_expired_session_is_followed_by_a_new_one(city: RoleCity, cop: TrafficCop) -> None:
    opened = await cop.open_session()
    city.clock.move(sessions.SESSION_IDLE + timedelta(seconds=1))

    with pytest.raises(SessionUnknown):
        await cop.get_session(opened.id)
    following = await cop.manage_session(request(opened.id))

    assert following.id != opened.id
    assert (await cop.get_session(following.id)).id == following.id
    with pytest.raises(SessionUnknown):
        await cop.manage_session(request(opened.id))


async def test_ended_session_is_unknown(cop: TrafficCop) -> None:
    opened = await cop.open_session()

    await cop.end_session(opened.id)

    with pytest.raises(SessionUnknown):
        await cop.manage_session(request(opened.id))


async def test_session_survives_a_restart_with_what_was_not_yet_written(tmp_path: Path) -> None:
    async with role_city(tmp_path) as before:
        opened = await before.get(TrafficCop).open_session()
        before.clock.move(timedelta(seconds=10))
        seen = await before.get(TrafficCop).manage_session(request(opened.id))

    async with role_city(tmp_path, clock=before.clock) as after:
        kept = await after.get(TrafficCop).get_session(opened.id)

    assert kept == seen
    assert kept.requests == 2


async def test_session_is_written_at_most_once_a_minute(city: RoleCity, cop: TrafficCop) -> None:
    records = city.get(SessionRecords)
    opened = await cop.open_session()

    async def stored() -> Session:
        found = await records.find("north", opened.id)
        assert found is not None
        return found

    city.clock.move(sessions.WRITE_BEHIND - timedelta(seconds=1))
    await cop.manage_session(request(opened.id))
    assert (await stored()).requests == 1
    city.clock.move(timedelta(seconds=1))
    await cop.manage_session(request(opened.id))
    assert (await stored()).requests == 3


async def test_session_pushed_out_of_memory_is_written_first(
    cop: TrafficCop, city: RoleCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "CACHED", 2)
    first = await cop.open_session()
    city.clock.move(timedelta(seconds=1))
    await cop.manage_session(request(first.id))

    others = [await cop.open_session() for _ in range(3)]

    assert (await cop.manage_session(request(first.id))).requests == 3
    assert len({first.id, *(other.id for other in others)}) == 4


async def test_opening_a_session_drops_expired_ones_of_the_tenant(
    city: RoleCity, cop: TrafficCop
) -> None:
    old = await cop.open_session()
    with as_user(SOUTH):
        foreign = await cop.open_session()
    city.clock.move(sessions.SESSION_IDLE + timedelta(seconds=1))

    await cop.open_session()

    records = city.get(SessionRecords)
    assert await records.find("north", old.id) is None
    with as_user(SOUTH):
        assert await records.find("south", foreign.id) is not None

"""Events of other processes, by each real server that carries them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack

import asyncpg
import pytest
import redis
from pydantic import SecretStr

from foundations.public_works.adapters import postgres_events
from foundations.public_works.adapters.events_between import EventsBetween
from foundations.public_works.adapters.postgres_events import PostgresEvents
from foundations.public_works.adapters.redis_events import RedisEvents
from foundations.public_works.settings import Settings
from tests.support.brokers import Broker, place_at
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.anyio

PATIENCE = 10.0
Two = tuple[EventsBetween, EventsBetween]
Process = Callable[[], EventsBetween]


@pytest.fixture(params=["postgresql", "redis"])
def process(request: pytest.FixtureRequest) -> Iterator[Process]:
    """Makes the events of one more process."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database() as url:
            settings = Settings(database_url=SecretStr(url))
            yield lambda: PostgresEvents(settings=settings)
        return
    with place_at(request.getfixturevalue("redis_server")) as url:
        settings = Settings(redis_url=SecretStr(url))
        yield lambda: RedisEvents(settings=settings)


@pytest.fixture
async def two(process: Process) -> AsyncIterator[Two]:
    """Two processes, as far as events go."""
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(process()) for _ in range(2)]
        yield one, other


async def heard_by(events: EventsBetween, topic: str, *, wanted: bool = True) -> None:
    async with asyncio.timeout(PATIENCE):
        while events.heard(topic) is not wanted:  # noqa: ASYNC110 - another process says it
            await asyncio.sleep(0.005)


async def next_of(events: AsyncIterator[Mapping[str, object]]) -> Mapping[str, object]:
    async with asyncio.timeout(PATIENCE):
        return await anext(events)


async def test_what_another_process_publishes_is_heard(
    two: Two,
) -> None:
    one, other = two
    async with one.subscribe("journey.1") as events, one.subscribe("journey.2") as unrelated:
        await heard_by(other, "journey.1")
        other.publish("journey.1", {"kind": "run_ended", "n": 1})
        one.publish("journey.1", {"kind": "here"})

        assert {(await next_of(events))["kind"] for _ in range(2)} == {"run_ended", "here"}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(unrelated)


async def test_what_nobody_hears_is_not_sent(two: Two) -> None:
    one, other = two
    assert not other.heard("journey.1")
    async with one.subscribe("journey.1"):
        await heard_by(other, "journey.1")
    await heard_by(other, "journey.1", wanted=False)


async def test_many_events_come_in_order_and_one_that_is_too_large_does_not(
    two: Two,
) -> None:
    one, other = two
    async with one.subscribe("journey.1") as events:
        await heard_by(other, "journey.1")
        for n in range(300):
            other.publish("journey.1", {"n": n, "text": "x" * 100})
        other.publish("journey.1", {"n": 300, "text": "x" * other.largest})
        other.publish("journey.1", {"n": 301})

        numbers = [(await next_of(events))["n"] for _ in range(301)]
    assert numbers == [*range(300), 301]


async def test_a_process_that_comes_later_hears_who_listens(two: Two, process: Process) -> None:
    one, _ = two
    async with one.subscribe("journey.1") as events:
        await asyncio.sleep(0.1)
        async with process() as late:
            await heard_by(late, "journey.1")
            late.publish("journey.1", {"n": 1})

            assert await next_of(events) == {"n": 1}


async def test_a_connection_that_breaks_is_made_anew(
    two: Two, request: pytest.FixtureRequest
) -> None:
    one, other = two
    async with one.subscribe("journey.1") as events:
        await heard_by(other, "journey.1")
        if isinstance(one, PostgresEvents):
            server: PostgresServer = request.getfixturevalue("postgres_server")
            server.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE query LIKE '%pg_notify%' AND pid <> pg_backend_pid()"
            )
        else:
            broker: Broker = request.getfixturevalue("redis_server")
            with redis.Redis(port=broker.port) as client:
                client.client_kill_filter(_type="pubsub")
        await asyncio.sleep(1.5)
        await heard_by(other, "journey.1")
        other.publish("journey.1", {"n": 2})

        assert await next_of(events) == {"n": 2}


async def test_a_line_that_fails_in_the_words_of_its_client_is_made_anew(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query between the server's farewell and the end of the connection fails so."""
    broken = ["once"]

    async def fails_once(self: postgres_events._Connection, letter: str) -> None:
        if broken:
            raise asyncpg.InternalClientError(broken.pop())
        await send(self, letter)

    send = postgres_events._Connection.send
    monkeypatch.setattr(postgres_events._Connection, "send", fails_once)
    with postgres_server.database() as url:
        settings = Settings(database_url=SecretStr(url))
        async with (
            PostgresEvents(settings=settings) as one,
            PostgresEvents(settings=settings) as other,
            one.subscribe("journey.1"),
        ):
            await heard_by(other, "journey.1")
    assert not broken


@pytest.mark.parametrize("text", ["no json", "[]", '{"from": "x"}', '{"from": "x", "notices": 1}'])
async def test_a_notice_that_cannot_be_read_is_dropped(two: Two, text: str) -> None:
    one, other = two
    async with one.subscribe("journey.1") as events:
        await heard_by(other, "journey.1")
        one.take(text)
        other.publish("journey.1", {"n": 3})

        assert await next_of(events) == {"n": 3}


async def test_databases_of_one_redis_do_not_hear_each_other(redis_server: Broker) -> None:
    with place_at(redis_server) as mine, place_at(redis_server) as theirs:
        async with (
            RedisEvents(settings=Settings(redis_url=SecretStr(mine))) as one,
            RedisEvents(settings=Settings(redis_url=SecretStr(theirs))) as other,
            one.subscribe("journey.1"),
        ):
            await asyncio.sleep(0.2)

            assert not other.heard("journey.1")

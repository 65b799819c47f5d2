"""Durable delivery: once published, an event reaches every subscription until acknowledged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from foundations.experience.road import Event
from foundations.public_works.events import Events
from smart_city.post_office import mail
from smart_city.post_office.api import (
    Delivery,
    DeliveryLapsed,
    PostOffice,
    SubscriptionDiffers,
)
from smart_city.post_office.mail import DeadLetterUnknown, InvalidEvent, InvalidTopic
from smart_city.post_office.records import PostRecords, Subscription
from tests.support.role_city import NORTH, NORTH_SECOND, SOUTH, RoleCity, as_user, role_city

pytestmark = pytest.mark.anyio


def stored(number: int, key: str | None = None) -> Event:
    return Event(topic="files.stored", key=key, data={"number": number})


async def numbers(deliveries: AsyncIterator[Delivery], count: int) -> list[int]:
    """Take and acknowledge so many events."""
    taken = []
    for _ in range(count):
        delivery = await anext(deliveries)
        taken.append(delivery.event.data["number"])
        await delivery.ack()
    return taken


async def assert_silent(deliveries: AsyncIterator[Delivery], office: PostOffice) -> None:
    """Nothing is there: an event published now is the next one."""
    await office.publish_event(stored(999))
    assert await numbers(deliveries, 1) == [999]


@pytest.fixture
def office(city: RoleCity) -> PostOffice:
    return city.get(PostOffice)


async def test_subscription_gets_what_is_published_in_order(office: PostOffice) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        for number in range(3):
            await office.publish_event(stored(number))

        assert await numbers(deliveries, 3) == [0, 1, 2]


@pytest.fixture
def idle(city: RoleCity, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when a reader has found nothing and is about to wait."""
    records, found_nothing = city.get(PostRecords), asyncio.Event()
    next_due = records.next_due

    async def watched(reader: Subscription) -> datetime | None:
        due = await next_due(reader)
        found_nothing.set()
        return due

    monkeypatch.setattr(records, "next_due", watched)
    return found_nothing


async def test_waiting_reader_is_woken_by_a_publication(
    office: PostOffice, idle: asyncio.Event
) -> None:
    async with (
        office.subscribe("files.*", "reader") as deliveries,
        asyncio.timeout(5),
        asyncio.TaskGroup() as tasks,
    ):
        waiting = tasks.create_task(numbers(deliveries, 1))
        await idle.wait()
        await office.publish_event(stored(7))

        assert await waiting == [7]


async def test_waiting_reader_wakes_when_a_returned_event_is_due(
    city: RoleCity, office: PostOffice, idle: asyncio.Event
) -> None:
    async with office.subscribe("files.*", "reader") as deliveries, asyncio.timeout(5):
        await office.publish_event(stored(7))
        await (await anext(deliveries)).nack("later", delay=timedelta(milliseconds=20))
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(numbers(deliveries, 1))
            await idle.wait()
            city.clock.move(timedelta(milliseconds=20))

        assert waiting.result() == [7]


async def test_events_wait_for_a_subscription_over_a_restart(tmp_path: Path) -> None:
    async with role_city(tmp_path) as before:
        office = before.get(PostOffice)
        async with office.subscribe("files.*", "reader"):
            pass
        published = await office.publish_event(stored(1))
        await office.publish_event(stored(2))

    async with (
        role_city(tmp_path, clock=before.clock) as after,
        after.get(PostOffice).subscribe("files.*", "reader") as deliveries,
    ):
        assert await numbers(deliveries, 2) == [1, 2]
    assert published.subscriptions == 1


async def test_unacknowledged_event_comes_again_after_its_lease(
    city: RoleCity, office: PostOffice
) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        published = await office.publish_event(stored(1))
        first = await anext(deliveries)
        city.clock.move(mail.LEASE)

        second = await anext(deliveries)

        assert (first.attempt, second.attempt) == (1, 2)
        assert first.event_id == second.event_id == published.event_id
        with pytest.raises(DeliveryLapsed):
            await first.ack()
        with pytest.raises(DeliveryLapsed):
            await first.nack()
        await second.ack()
        await assert_silent(deliveries, office)


async def test_event_in_the_hands_of_one_reader_is_not_given_to_another(
    office: PostOffice,
) -> None:
    async with (
        office.subscribe("files.stored", "reader") as one,
        office.subscribe("files.stored", "reader") as other,
    ):
        await office.publish_event(stored(1))
        await office.publish_event(stored(2))

        first, second = await anext(one), await anext(other)

        assert [first.event.data["number"], second.event.data["number"]] == [1, 2]


async def test_events_of_one_key_come_one_after_the_other(
    city: RoleCity, office: PostOffice
) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        for number, key in ((1, "a"), (2, "a"), (3, "b")):
            await office.publish_event(stored(number, key))

        first = await anext(deliveries)
        beside = await anext(deliveries)
        await first.nack("not yet", delay=timedelta(seconds=30))
        await beside.ack()
        city.clock.move(timedelta(seconds=30))

        assert beside.event.data["number"] == 3
        assert await numbers(deliveries, 2) == [1, 2]


async def test_reader_of_a_blocked_key_is_woken_when_the_earlier_event_is_done(
    office: PostOffice, idle: asyncio.Event
) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        await office.publish_event(stored(1, "a"))
        await office.publish_event(stored(2, "a"))
        first = await anext(deliveries)
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(numbers(deliveries, 1))
            await idle.wait()
            await first.ack()

        assert waiting.result() == [2]


async def test_returned_event_becomes_a_dead_letter_and_can_be_sent_again(
    office: PostOffice,
) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        published = await office.publish_event(stored(1, "a"))
        await office.publish_event(stored(2, "a"))
        for _ in range(mail.ATTEMPTS):
            await (await anext(deliveries)).nack("cannot read it")

        assert await numbers(deliveries, 1) == [2]
        (letter,) = (await office.list_dead_letters()).letters
        assert (letter.event_id, letter.attempts) == (published.event_id, mail.ATTEMPTS)
        assert (letter.reason, letter.subscription) == ("cannot read it", "reader")
        assert letter.event == stored(1, "a")

        await office.redeliver_dead_letter(letter.event_id, "reader")
        again = await anext(deliveries)
        assert again.attempt == 1
        assert (await office.list_dead_letters()).letters == ()


async def test_event_that_kills_its_readers_becomes_a_dead_letter(
    city: RoleCity, office: PostOffice
) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        await office.publish_event(stored(1))
        for _ in range(mail.ATTEMPTS):
            await anext(deliveries)
            city.clock.move(mail.LEASE)

        await assert_silent(deliveries, office)
        (letter,) = (await office.list_dead_letters()).letters
        assert "never acknowledged" in letter.reason


async def test_dead_letters_are_their_tenants(office: PostOffice) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        published = await office.publish_event(stored(1))
        for _ in range(mail.ATTEMPTS):
            await (await anext(deliveries)).nack()

    with as_user(SOUTH):
        assert (await office.list_dead_letters()).letters == ()
        with pytest.raises(DeadLetterUnknown):
            await office.redeliver_dead_letter(published.event_id, "reader")
    with pytest.raises(DeadLetterUnknown):
        await office.redeliver_dead_letter(published.event_id, "nobody")


async def test_events_of_another_tenant_are_never_delivered(office: PostOffice) -> None:
    async with office.subscribe("files.*", "reader") as deliveries:
        with as_user(SOUTH):
            foreign = await office.publish_event(stored(1))

        await assert_silent(deliveries, office)
        assert foreign.subscriptions == 0


async def test_pattern_and_topic_decide_who_gets_an_event(office: PostOffice) -> None:
    async with (
        office.subscribe("files.*", "all files"),
        office.subscribe("files.stored", "stored files"),
        office.subscribe("runs.*", "runs"),
    ):
        published = await office.publish_event(stored(1))
        removed = await office.publish_event(Event(topic="files.removed"))

    assert (published.subscriptions, removed.subscriptions) == (2, 1)


async def test_same_event_with_nothing_in_between_is_published_once(office: PostOffice) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        first = await office.publish_event(stored(1, "a"))
        again = await office.publish_event(stored(1, "a"))
        await office.publish_event(stored(2, "a"))
        back = await office.publish_event(stored(1, "a"))

        assert await numbers(deliveries, 3) == [1, 2, 1]
    assert (again.duplicate, again.event_id) == (True, first.event_id)
    assert not back.duplicate


async def test_keyed_call_publishes_an_event_without_a_key_once(office: PostOffice) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        with as_user(NORTH, key="run:milestone:1"):
            first = await office.publish_event(stored(1))
            again = await office.publish_event(stored(1))
            other = await office.publish_event(stored(2))

        assert (first.duplicate, again.duplicate, other.duplicate) == (False, True, False)
        assert await numbers(deliveries, 2) == [1, 2]


async def test_delivery_carries_trace_and_principal_of_its_publisher(office: PostOffice) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        await office.publish_event(stored(1), "trace-of-publisher", NORTH_SECOND)

        delivery = await anext(deliveries)

    assert delivery.context.trace_id == "trace-of-publisher"
    assert delivery.context.user == NORTH_SECOND
    assert delivery.context.idempotency_key == delivery.event_id


async def test_who_listens_now_hears_at_once_and_only_once(
    city: RoleCity, office: PostOffice
) -> None:
    async with city.get(Events).subscribe("files.stored") as heard:
        await office.publish_event(stored(1, "a"))
        await office.publish_event(stored(1, "a"))
        await office.publish_event(stored(2, "a"))

        told = [await anext(heard), await anext(heard)]

    assert [event["data"] for event in told] == [{"number": 1}, {"number": 2}]
    assert (told[0]["tenant"], told[0]["trace_id"]) == ("north", "trace-1")


async def test_name_cannot_be_subscribed_to_two_topics_until_it_is_forgotten(
    office: PostOffice,
) -> None:
    async with office.subscribe("files.stored", "reader"):
        await office.publish_event(stored(1))
    with pytest.raises(SubscriptionDiffers):
        async with office.subscribe("runs.*", "reader"):
            pass

    await office.unsubscribe("reader")

    async with office.subscribe("runs.*", "reader") as deliveries:
        await office.publish_event(Event(topic="runs.ended", data={"number": 3}))
        assert await numbers(deliveries, 1) == [3]


@pytest.mark.parametrize("topic", ["", "files.[a-z]", "Files", "files stored", "x" * 201])
async def test_what_is_no_topic_cannot_be_subscribed_to(office: PostOffice, topic: str) -> None:
    with pytest.raises(InvalidTopic):
        async with office.subscribe(topic, "reader"):
            pass


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}])
async def test_data_that_is_no_json_is_refused(office: PostOffice, value: object) -> None:
    with pytest.raises(InvalidEvent):
        await office.publish_event(Event(topic="files.stored", data={"value": value}))


async def test_old_events_go_when_nobody_waits_for_them(city: RoleCity, office: PostOffice) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        await office.publish_event(stored(1, "a"))
        assert await numbers(deliveries, 1) == [1]
        await office.publish_event(stored(2, "b"))
        city.clock.move(mail.RETENTION + mail.PRUNE_EVERY)
        await office.publish_event(stored(3))

        assert not (await office.publish_event(stored(1, "a"))).duplicate
        assert (await office.publish_event(stored(2, "b"))).duplicate
        assert await numbers(deliveries, 3) == [2, 3, 1]


async def test_dead_letters_go_after_their_time(city: RoleCity, office: PostOffice) -> None:
    async with office.subscribe("files.stored", "reader") as deliveries:
        await office.publish_event(stored(1))
        for _ in range(mail.ATTEMPTS):
            await (await anext(deliveries)).nack()
        city.clock.move(mail.DEAD_RETENTION + mail.PRUNE_EVERY)

        await office.publish_event(stored(2))

    assert (await office.list_dead_letters()).letters == ()


@asynccontextmanager
async def reader_that_fails(office: PostOffice) -> AsyncIterator[None]:
    async with office.subscribe("files.stored", "reader") as deliveries:
        await anext(deliveries)
        yield


async def test_reader_that_fails_leaves_the_event_for_the_next(
    city: RoleCity, office: PostOffice
) -> None:
    async with office.subscribe("files.stored", "reader"):
        await office.publish_event(stored(1))
    with pytest.raises(ZeroDivisionError):
        async with reader_that_fails(office):
            raise ZeroDivisionError
    city.clock.move(mail.LEASE)

    async with office.subscribe("files.stored", "reader") as deliveries:
        assert await numbers(deliveries, 1) == [1]

"""When schedules ring: time zones that change their clocks, missed times, every so often."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realms.journey.engine.times import MOST, after, between, due, times_of
from realms.journey.plans.plan import Schedule

VIENNA = "Europe/Vienna"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def told(times: list[datetime]) -> list[str]:
    return [f"{time:%d %H:%M}" for time in times]


def day(cron: str, date: str, *, zone: str = VIENNA) -> list[str]:
    """What rings in the 24 hours of UTC from 22:00 of the day before."""
    begin = utc(f"{date}T00:00") - timedelta(hours=2)
    schedule = Schedule(cron=cron, timezone=zone)
    found, moment = [], begin - timedelta(microseconds=1)
    while (moment := after(schedule, moment)) < begin + timedelta(hours=24):
        found.append(moment)
    return told(found)


@pytest.mark.parametrize(
    ("cron", "spring", "autumn"),
    [
        ("30 2 * * *", ["29 01:00"], ["25 00:30"]),
        ("0 30 2 * * *", ["29 01:00"], ["25 00:30"]),
        ("0 3 * * *", ["29 01:00"], ["25 02:00"]),
        ("0 2,3 * * *", ["29 01:00"], ["25 00:00", "25 02:00"]),
        ("*/20 2 * * *", ["29 01:00"], ["25 00:00", "25 00:20", "25 00:40"]),
        ("0 1-4/3 * * *", ["29 00:00", "29 02:00"], ["24 23:00", "25 03:00"]),
    ],
)
def test_a_time_of_day_comes_once_on_the_day_the_clocks_change(
    cron: str, spring: list[str], autumn: list[str]
) -> None:
    assert day(cron, "2026-03-29") == spring
    assert day(cron, "2026-10-25") == autumn


@pytest.mark.parametrize("date", ["2026-03-29", "2026-10-25", "2026-06-01"])
def test_what_rings_every_hour_rings_every_hour_that_passes(date: str) -> None:
    assert len(day("30 * * * *", date)) == 24
    assert len(day("*/15 * * * *", date)) == 24 * 4


def test_a_restart_within_the_hour_that_comes_twice_does_not_ring_again() -> None:
    schedule = Schedule(cron="30 2 * * *", timezone=VIENNA)

    for minute in range(0, 60, 5):
        again = after(schedule, utc("2026-10-25T01:00") + timedelta(minutes=minute))
        assert again == utc("2026-10-26T01:30")


@given(
    minutes=st.integers(0, 365 * 24 * 60),
    cron=st.sampled_from(["30 2 * * *", "*/7 * * * *", "0 */2 * * *", "15 1,2,3 * * SUN"]),
    zone=st.sampled_from([VIENNA, "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_times_go_forward_and_do_not_depend_on_where_one_begins(
    minutes: int, cron: str, zone: str
) -> None:
    schedule = Schedule(cron=cron, timezone=zone)
    start = utc("2026-01-01T00:00") + timedelta(minutes=minutes)

    first = after(schedule, start)
    second = after(schedule, first)

    assert start < first < second
    assert after(schedule, second - timedelta(microseconds=1)) == second
    assert after(schedule, first + (second - first) / 2) == second
    assert between(schedule, first, second) == [first, second]


def test_every_counts_on_from_its_own_times() -> None:
    schedule = Schedule(every=timedelta(minutes=10))

    assert after(schedule, utc("2026-01-01T12:03")) == utc("2026-01-01T12:13")
    found, following = due(schedule, utc("2026-01-01T12:13"), utc("2026-01-01T15:00"))
    assert found == ()
    assert following == utc("2026-01-01T15:03")


def test_a_ring_that_comes_a_little_late_counts() -> None:
    schedule = Schedule(cron="0 * * * *")

    found, following = due(schedule, utc("2026-01-01T12:00"), utc("2026-01-01T12:00:59"))

    assert found == (utc("2026-01-01T12:00"),)
    assert following == utc("2026-01-01T13:00")


def test_missed_times_are_not_made_up_for_unless_it_says_so() -> None:
    schedule = Schedule(cron="0 * * * *")

    found, following = due(schedule, utc("2026-01-01T12:00"), utc("2026-01-01T15:30"))

    assert found == ()
    assert following == utc("2026-01-01T16:00")


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(cron="0 * * * *", catch_up=timedelta(hours=2)),
        Schedule(every=timedelta(hours=1), catch_up=timedelta(hours=2)),
    ],
)
def test_missed_times_are_made_up_for_no_further_back_than_stated(schedule: Schedule) -> None:
    found, following = due(schedule, utc("2026-01-01T12:00"), utc("2026-01-02T15:30"))

    assert told(list(found)) == ["02 14:00", "02 15:00"]
    assert following == utc("2026-01-02T16:00")


def test_nothing_is_due_before_its_time() -> None:
    for schedule in (Schedule(cron="0 * * * *"), Schedule(every=timedelta(hours=1))):
        found, following = due(schedule, utc("2026-01-01T12:00"), utc("2026-01-01T11:59"))

        assert (found, following) == ((), utc("2026-01-01T12:00"))


def test_a_year_of_missed_minutes_is_cut_to_the_latest() -> None:
    schedule = Schedule(every=timedelta(minutes=1), catch_up=timedelta(days=365))
    now = utc("2026-12-01T00:00")

    found, following = due(schedule, utc("2026-01-01T00:00"), now)

    assert len(found) == MOST
    assert (found[-1], following) == (now, now + timedelta(minutes=1))


def test_other_times_have_another_name_and_other_words_have_not() -> None:
    cron = Schedule(cron="0 * * * *")

    assert times_of(cron) == times_of(Schedule(cron="0 * * * *", catch_up=timedelta(hours=1)))
    assert times_of(cron) != times_of(Schedule(cron="0 * * * *", timezone=VIENNA))
    assert times_of(cron) != times_of(Schedule(every=timedelta(hours=1)))

"""The times of a schedule, computed without a clock: by cron expression, or every so often."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from realms.journey.plans.plan import Schedule

MOST = 1_000
"""So many missed times are made up for at once; the latest count."""
ON_TIME = timedelta(minutes=1)
"""A time that came no longer ago than this was not missed: the ring is a little late."""

_INSTANT = timedelta(microseconds=1)
_HOURS = 24


def times_of(schedule: Schedule) -> str:
    """What says when, in a word: another word means other times."""
    every = "" if schedule.every is None else f"every {schedule.every.total_seconds():f}"
    return f"{schedule.cron or every} {schedule.timezone}"


def after(schedule: Schedule, moment: datetime) -> datetime:
    """The first time after `moment`; of `every`, counted from `moment`.

    In a time zone that changes its clocks, a time of day that is skipped comes right after the
    gap, and one that is there twice comes the first time.
    """
    if schedule.every is not None:
        return moment + schedule.every
    return next(_cron(schedule, moment))


def between(schedule: Schedule, first: datetime, last: datetime) -> list[datetime]:
    """The times from `first`, which is one, up to `last`: at most the latest thousand."""
    if schedule.every is not None:
        count = (last - first) // schedule.every
        begin = max(0, count + 1 - MOST)
        return [first + schedule.every * number for number in range(begin, count + 1)]
    found = takewhile(lambda time: time <= last, _cron(schedule, first - _INSTANT))
    return list(found)[-MOST:]


def due(
    schedule: Schedule, next_at: datetime, now: datetime
) -> tuple[tuple[datetime, ...], datetime]:
    """The times since `next_at` for which runs are to begin at `now`, and the next after them.

    Without `catch_up` that is the last one, unless it was missed; with it, all that came no longer
    ago.
    """
    back = max(schedule.catch_up or ON_TIME, ON_TIME)
    since = _since(schedule, next_at, now - back)
    found = between(schedule, since, now) if since <= now else []
    following = after(schedule, found[-1] if found else since - _INSTANT)
    if schedule.every is not None and not found:
        following = since
    return tuple(found if schedule.catch_up is not None else found[-1:]), following


def _since(schedule: Schedule, next_at: datetime, earliest: datetime) -> datetime:
    """The first time that is neither before `next_at` nor before `earliest`."""
    if next_at >= earliest:
        return next_at
    if schedule.every is not None:
        missed = -((next_at - earliest) // schedule.every)
        return next_at + schedule.every * missed
    return after(schedule, earliest - _INSTANT)


def _cron(schedule: Schedule, moment: datetime) -> Iterator[datetime]:
    """The times of a cron expression after `moment`, each once."""
    zone = ZoneInfo(schedule.timezone)
    local = moment.astimezone(zone)
    found = CronSim(schedule.cron, local)
    if len(found.hours) < _HOURS:  # times of day; those of every hour go by the hours that pass
        walls = CronSim(schedule.cron, local.replace(tzinfo=None))
        return _later(moment, (_on_the_clock(wall, zone) for wall in walls))
    return _later(moment, (time.astimezone(UTC) for time in found))


def _later(moment: datetime, times: Iterator[datetime]) -> Iterator[datetime]:
    """Those that come after `moment` and after all before them."""
    for time in times:
        if time > moment:
            moment = time
            yield time


def _on_the_clock(wall: datetime, zone: ZoneInfo) -> datetime:
    """When a clock on the wall shows a time first, or has just jumped over it."""
    while True:
        found = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if found.astimezone(zone).replace(tzinfo=None) == wall:
            return found
        wall = wall.replace(second=0) + timedelta(minutes=1)

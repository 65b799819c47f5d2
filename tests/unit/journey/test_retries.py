"""Retry policies: what is tried again, how often, and after how long."""

from datetime import timedelta

import pytest

from realms.journey.api import Failure
from realms.journey.plans.retries import DEFAULT_RETRY, FINAL_KINDS, NO_RETRY, Jitter, RetryPolicy
from utilities.errors import ErrorKind

SECOND = timedelta(seconds=1)
NOTHING = timedelta(0)


def failure(kind: ErrorKind = ErrorKind.UNAVAILABLE, code: str = "gone") -> Failure:
    return Failure(kind=kind, code=code, title="Gone.", detail="gone")


@pytest.mark.parametrize("kind", sorted(ErrorKind))
def test_errors_that_say_no_are_not_tried_again(kind: ErrorKind) -> None:
    again = DEFAULT_RETRY.repeats(failure(kind), failures=1, elapsed=NOTHING)

    assert again is (kind not in FINAL_KINDS)


def test_three_attempts_are_made_unless_said_otherwise() -> None:
    def again(policy: RetryPolicy, failures: int) -> bool:
        return policy.repeats(failure(), failures=failures, elapsed=NOTHING)

    assert [again(DEFAULT_RETRY, n) for n in (1, 2, 3)] == [True, True, False]
    assert not again(NO_RETRY, 1)


def test_kinds_and_names_of_errors_say_what_is_tried_again() -> None:
    policy = RetryPolicy(
        on=frozenset({"unavailable", "quota_exceeded"}), never_on=frozenset({"gone"})
    )

    def again(error: Failure) -> bool:
        return policy.repeats(error, failures=1, elapsed=NOTHING)

    assert again(failure(code="slow"))
    assert again(failure(ErrorKind.INVALID, "quota_exceeded"))
    assert not again(failure(ErrorKind.TIMEOUT, "slow"))
    assert not again(failure(code="gone"))


def test_no_attempt_begins_when_the_time_is_over() -> None:
    policy = RetryPolicy(attempts=100, max_elapsed=10 * SECOND)

    assert policy.repeats(failure(), failures=9, elapsed=9 * SECOND)
    assert not policy.repeats(failure(), failures=1, elapsed=10 * SECOND)


def test_delays_grow_to_the_longest() -> None:
    policy = RetryPolicy(attempts=100, jitter=Jitter.NONE, max_delay=5 * SECOND)

    delays = [policy.delay("run", failures=n) for n in (1, 2, 3, 4, 5, 99, 100_000)]

    assert delays == [SECOND, 2 * SECOND, 4 * SECOND, *[5 * SECOND] * 4]


def test_jitter_is_the_same_for_the_same_attempt_and_no_longer_than_the_delay() -> None:
    drawn = [DEFAULT_RETRY.delay(f"run-{n}", failures=2) for n in range(200)]

    assert drawn == [DEFAULT_RETRY.delay(f"run-{n}", failures=2) for n in range(200)]
    assert NOTHING <= min(drawn) < 0.1 * SECOND
    assert 1.9 * SECOND < max(drawn) < 2 * SECOND
    assert DEFAULT_RETRY.delay("run", failures=1) != DEFAULT_RETRY.delay("run", failures=2)


def test_stated_delays_are_taken_in_order_and_the_last_again() -> None:
    policy = RetryPolicy(attempts=9, jitter=Jitter.NONE, delays=(SECOND, 5 * SECOND))

    assert [policy.delay("run", failures=n) for n in (1, 2, 3)] == [SECOND, 5 * SECOND, 5 * SECOND]


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        (None, SECOND),
        (0.5, SECOND),
        (30.0, 30 * SECOND),
        (1e12, timedelta(days=1)),
        (-1.0, SECOND),
        (float("nan"), SECOND),
    ],
)
def test_what_a_service_asks_for_is_the_least_within_reason(
    asked: float | None, waits: timedelta
) -> None:
    policy = RetryPolicy(jitter=Jitter.NONE)

    assert policy.delay("run", failures=1, retry_after=asked) == waits


def test_a_policy_may_leave_the_wish_of_the_service_out() -> None:
    policy = RetryPolicy(jitter=Jitter.NONE, respect_retry_after=False)

    assert policy.delay("run", failures=1, retry_after=30) == SECOND

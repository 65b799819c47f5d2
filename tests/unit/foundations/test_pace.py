"""When a commit is waited for on the event loop, and when it goes to a thread."""

import pytest

from foundations.public_works.adapters.sqlite_transactions import (
    PROBE_SECONDS,
    QUICK_SECONDS,
    SLOW_SECONDS,
    Pace,
)

QUICK, SLOW, BETWEEN = QUICK_SECONDS / 10, SLOW_SECONDS * 20, (QUICK_SECONDS + SLOW_SECONDS) / 2


def after(pace: Pace, samples: list[float], now: float = 100) -> Pace:
    for sample in samples:
        pace.took(sample, now)
    return pace


@pytest.mark.parametrize(
    ("trials", "allowed"),
    [([QUICK] * 5, True), ([SLOW] * 5, False), ([SLOW, QUICK, QUICK], True), ([], True)],
)
def test_trials_at_the_start_decide_first(trials: list[float], allowed: bool) -> None:
    pace = after(Pace(trials), [])
    pace._probe_at = 200

    assert pace.allows(100) is allowed


def test_one_outlier_decides_nothing_but_several_do() -> None:
    pace = Pace([QUICK] * 5)

    assert after(pace, [10.0]).allows(100)
    assert not after(pace, [SLOW] * 10).allows(100)


def test_syncs_that_stumble_say_nothing_unless_they_hold_up_the_loop() -> None:
    stumbles, stands_still = SLOW_SECONDS * 4, SLOW_SECONDS * 20

    assert after(Pace([QUICK] * 5), [stumbles, QUICK, QUICK] * 10).allows(100)
    assert not after(Pace([QUICK] * 5), [stands_still, QUICK, QUICK] * 10).allows(100)


def test_slow_disk_is_probed_now_and_then_and_found_quick_again() -> None:
    pace = after(Pace([SLOW] * 5), [SLOW])

    assert not pace.allows(100 + PROBE_SECONDS - 0.1)
    assert pace.allows(100 + PROBE_SECONDS)
    after(pace, [QUICK] * 40, now=110)
    after(pace, [BETWEEN], now=110)
    assert pace.allows(110)


def test_between_quick_and_slow_all_stays_as_it_is() -> None:
    quick, slow = Pace([QUICK] * 5), after(Pace([SLOW] * 5), [SLOW])

    assert after(quick, [BETWEEN] * 100).allows(100)
    assert not after(slow, [BETWEEN] * 100).allows(100)

"""What is left of many tests once it is counted how many they were."""

from collections.abc import Iterable, Sequence

ERROR_RATE = 0.0002
"""The share of false ones among the findings of a family of tests that is put up with."""


def benjamini_yekutieli(p_values: Sequence[float], *, tests: int, rate: float) -> list[bool]:
    """Which of the tests hold when at most `rate` of what holds may be false, under any dependence.

    `tests` is how many there were in all: those whose p-values are not given count as p = 1.
    Benjamini and Yekutieli, The control of the false discovery rate in multiple testing under
    dependency (2001), theorem 1.3.
    """
    harmonic = _harmonic(tests)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    most = 0
    for rank, place in enumerate(order, start=1):
        if p_values[place] <= rank * rate / (tests * harmonic):
            most = rank
    holds = [False] * len(p_values)
    for place in order[:most]:
        holds[place] = True
    return holds


def holm(p_values: Sequence[float], *, tests: int, rate: float) -> list[bool]:
    """Which of the tests hold when the chance of one false among them may be at most `rate`.

    Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    holds = [False] * len(p_values)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for step, place in enumerate(order):
        if p_values[place] > rate / (tests - step):
            break
        holds[place] = True
    return holds


def _harmonic(n: int) -> float:
    return sum(_inverses(n))


def _inverses(n: int) -> Iterable[float]:
    return (1 / k for k in range(1, n + 1))

"""Which insights are worth reading, and in which order."""

from collections import Counter

from foundations.public_works.parsing.insights.model import Insight, InsightKind

MOST_READ = 20
MOST_OF_A_KIND = 5


def worth(insight: Insight) -> float:
    """What an insight is ranked by: its strength, more where it is a surprise."""
    return insight.strength * (0.6 + 0.4 * insight.surprise)


def ranked(found: list[Insight]) -> tuple[tuple[Insight, ...], int]:
    """The insights worth reading, best first, and how many were left out.

    No more than `MOST_READ`, and of a kind no more than `MOST_OF_A_KIND`.
    """
    kinds: Counter[InsightKind] = Counter()
    kept: list[Insight] = []
    for insight in sorted(found, key=lambda one: -worth(one)):
        kinds[insight.kind] += 1
        if kinds[insight.kind] <= MOST_OF_A_KIND and len(kept) < MOST_READ:
            kept.append(insight)
    return tuple(kept), len(found) - len(kept)

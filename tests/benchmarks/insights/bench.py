"""Plants truths, lets the product tell what it sees, and counts what it told."""

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from foundations.public_works.parsing.insights.comparing import ParsedFile, compare
from foundations.public_works.parsing.insights.finding import find
from foundations.public_works.parsing.insights.model import Insight
from foundations.public_works.parsing.insights.tables import pairs
from foundations.public_works.parsing.insights.tables.columns import table_of
from foundations.public_works.parsing.insights.tables.pairs import related
from foundations.public_works.parsing.models import ParseOptions
from foundations.public_works.parsing.reading import read
from tests.benchmarks.insights import files, tables
from tests.benchmarks.insights.truths import Verdict, World, judged

RECALL = 0.95
MOST_FALSE = 1
MOST_NOISE = 0.1
MOST_FALSE_RUNS = 0.05
Say = Callable[[str], None]


def measure(seeds: Sequence[int], say: Say) -> dict[str, Any]:
    """All figures, over the seeds given."""
    verdicts: list[Verdict] = []
    for place, seed in enumerate(seeds, start=1):
        verdicts += [judged(w, told(w), seed) for w in worlds(seed)]
        if place % 10 == 0:
            say(f"{place} of {len(seeds)} seeds")
    runs = [seed for seed in seeds if false_correlations(seed)]
    return figures(verdicts, list(seeds), runs)


def worlds(seed: int) -> list[World]:
    """Everything that is planted with a seed."""
    lots = np.random.default_rng(seed)
    return [*tables.all_of(lots), *files.all_of(lots)]


def told(world: World) -> list[Insight]:
    """What the product tells of the files of a world, by the road every file takes."""
    with tempfile.TemporaryDirectory() as folder:
        found: list[Insight] = []
        parsed_files: list[ParsedFile] = []
        for name, content in world.files.items():
            path, output = Path(folder) / name, Path(folder) / f"{name}.parsed"
            path.write_bytes(content)
            output.mkdir()
            parsed = read(path, output, name=name, options=ParseOptions())
            artifacts = {artifact: output / artifact for artifact in parsed.artifacts}
            found += find(parsed, artifacts).insights
            parsed_files.append(ParsedFile(parsed, artifacts))
        if len(parsed_files) > 1:
            found += compare(parsed_files).insights
        return found


def false_correlations(seed: int) -> int:
    """How many correlations are told of two hundred columns that know nothing of each other."""
    columns = tables.wide_noise(np.random.default_rng(seed))
    table = table_of(pl.DataFrame(columns), "noise")
    found = related(table, frozenset())
    return len(found) + len(list(pairs.curves(table, found, frozenset())))


def figures(verdicts: Sequence[Verdict], seeds: list[int], false_runs: list[int]) -> dict[str, Any]:
    """What the verdicts come to, and whether it is what is promised."""
    found = [one for v in verdicts for one in v.found]
    missed = [one for v in verdicts for one in v.missed]
    false = [one for v in verdicts for one in v.false]
    noise = [one for v in verdicts for one in v.noise]
    below = [one for v in verdicts for one in v.below_floor]
    told_in_all = sum(v.told for v in verdicts)
    noise_share = (len(noise) + len(false) + len(below)) / max(1, told_in_all)
    recall = len(found) / max(1, len(found) + len(missed))
    share = len(false_runs) / max(1, len(seeds))
    by_kind = Counter(one for one in found)
    lost = Counter(one.split(": ", 1)[1] for one in missed)
    return {
        "seeds": seeds,
        "planted": len(found) + len(missed),
        "found": len(found),
        "recall": recall,
        "told": told_in_all,
        "false": len(false),
        "told_below_the_floor": len(below),
        "noise": len(noise),
        "noise_share": noise_share,
        "runs_with_false_correlations": len(false_runs),
        "share_of_runs_with_false_correlations": share,
        "passed": recall >= RECALL
        and len(false) <= MOST_FALSE
        and not below
        and noise_share <= MOST_NOISE
        and share <= MOST_FALSE_RUNS,
        "recall_by_truth": {
            name: [by_kind[name], by_kind[name] + lost[name]] for name in sorted({*by_kind, *lost})
        },
        "lines": {"missed": missed, "false": false, "below_floor": below, "noise": noise},
    }


def shown(found: dict[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """The figures as tables: what is promised beside what was measured, and each truth's recall."""
    measured = [
        ["truths planted", "", f"{found['planted']:,}"],
        ["of these told", f"at least {RECALL:.0%}", f"{found['recall']:.2%}"],
        ["findings told", "", f"{found['told']:,}"],
        ["false findings", f"at most {MOST_FALSE}", str(found["false"])],
        ["effects below the floor told", "0", str(found["told_below_the_floor"])],
        ["share of noise", f"at most {MOST_NOISE:.0%}", f"{found['noise_share']:.2%}"],
        [
            "runs of 200 columns of noise with false correlations",
            f"at most {MOST_FALSE_RUNS:.0%}",
            f"{found['share_of_runs_with_false_correlations']:.0%}",
        ],
    ]
    recalled = [
        [name, f"{told} of {planted}"] for name, (told, planted) in found["recall_by_truth"].items()
    ]
    return [
        (["figure", "promised", "measured"], measured),
        (["truth", "told"], recalled),
    ]


def complaints(found: dict[str, Any]) -> list[str]:
    """What went wrong, in lines."""
    lines = found["lines"]
    return [
        f"{word}: {line}" for word in ("false", "below_floor", "missed") for line in lines[word]
    ]

"""What a large CSV file costs to parse, beside what polars alone needs for the same profile.

Run it by `python -m tests.benchmarks.large_csv [--megabytes N] [--times N] [--json]`. Each runs in
processes of their own, in turn; the medians and their ratio are told.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from tests.support.processes import ROOT, clean_environment

_CITY = """
import sys
from pathlib import Path
from foundations.public_works.parsing.models import ParseOptions
from foundations.public_works.parsing.reading import read
result = read(Path(sys.argv[1]), Path(sys.argv[2]), name="large.csv", options=ParseOptions())
rows = result.tables[0].row_count
"""
_POLARS = """
import sys
import polars as pl
import polars.selectors as cs
frame = pl.read_csv(sys.argv[1], try_parse_dates=True)
numbers, words = cs.numeric(), cs.string()
frame.select(
    pl.all().null_count().name.suffix("_missing"),
    pl.all().n_unique().name.suffix("_distinct"),
    *(getattr(numbers, f)().name.suffix("_" + f) for f in ("min", "max", "mean", "median", "std")),
    *(numbers.quantile(q).name.suffix(f"_{q}") for q in (0.25, 0.75)),
)
for name in frame.select(words).columns:
    frame[name].value_counts().sort("count", descending=True).head(5)
frame.n_unique()
frame.write_parquet(sys.argv[2] + "/table.parquet")
rows = frame.height
"""
ROWS = 40_000
_WORDS = ("pump", "valve", "report", "checked", "by", "the", "night", "shift", "replaced", "again")
_TOLD = """
import json, resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"rows": rows, "cpu_s": used.ru_utime + used.ru_stime,
                  "rss_mb": used.ru_maxrss / 1024}))
"""


def write(path: Path, megabytes: int) -> None:
    """A table of eleven columns, drawn at random, its rows repeated in blocks under new numbers.

    Numbers, codes, dates, times, labels, figures, yes and no, remarks; one cell in ten is empty.
    """
    rows = list(_rows(Random(1)))
    number = 0
    with path.open("w") as file:
        file.write("id,code,day,moment,station,temp,flow,n,state,ok,remark\n")
        while file.tell() < megabytes * 1_000_000:
            file.write(
                "".join(
                    f"{at},{at * 2654435761 % 2**40:010x},{row}\n"
                    for at, row in enumerate(rows, start=number)
                )
            )
            number += len(rows)


def _rows(draw: Random) -> Iterator[str]:
    for _ in range(ROWS):
        day = f"2025-0{draw.randint(1, 9)}-{draw.randint(10, 28)}"
        remark = " ".join(draw.choice(_WORDS) for _ in range(8))
        cells = (
            day,
            f"{day} {draw.randint(10, 23)}:{draw.randint(10, 59)}:{draw.randint(10, 59)}",
            f"station {int(draw.paretovariate(0.6)) % 300}",
            "" if draw.random() < 0.02 else f"{draw.gauss(20, 5):.2f}",
            "" if draw.random() < 0.3 else f"{draw.lognormvariate(3, 1):.4f}",
            str(draw.randint(0, 999)),
            draw.choice(("open", "closed", "held", "")),
            draw.choice(("true", "false")),
            "" if draw.random() < 0.4 else f'"{remark}, again"' if draw.random() < 0.1 else remark,
        )
        yield ",".join(cells)


def measure(megabytes: int, times: int) -> dict[str, Any]:
    """Wall and processor seconds, and resident megabytes, of both; medians and ratios."""
    found: dict[str, list[dict[str, float]]] = {"city": [], "polars": []}
    with tempfile.TemporaryDirectory(prefix="civitas-large-") as folder:
        path = Path(folder) / "large.csv"
        write(path, megabytes)
        for _ in range(times):
            for name, program in (("polars", _POLARS), ("city", _CITY)):
                found[name].append(_run(program, path, folder))
    figures: dict[str, Any] = {
        name: {key: round(statistics.median(one[key] for one in runs), 2) for key in runs[0]}
        for name, runs in found.items()
    }
    ratios = {
        key: round(figures["city"][key] / figures["polars"][key], 2)
        for key in ("wall_s", "cpu_s", "rss_mb")
    }
    return figures | {"ratios": ratios, "megabytes": megabytes}


def _run(program: str, path: Path, folder: str) -> dict[str, float]:
    before = os.times().elapsed
    done = subprocess.run(
        [sys.executable, "-c", program + _TOLD, str(path), folder],
        cwd=ROOT,
        env=clean_environment() | {"POLARS_MAX_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told | {"wall_s": os.times().elapsed - before}


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.large_csv")
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    figures = measure(given.megabytes, given.times)
    if given.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return 0
    for name in ("polars", "city", "ratios"):
        told = ", ".join(f"{key} {value:,}" for key, value in figures[name].items())
        sys.stdout.write(f"{name}: {told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

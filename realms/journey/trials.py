"""Trials of the engine, for checkouts: what they run stands under `tests/`, in no wheel."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from foundations.experience.invocation import AsJson, Invocation
from utilities.errors import ErrorKind, PlatformError

PEERS = ("dbos", "langgraph", "celery", "raw")
PARTS = ("compare", "waits", "slow-disk", "stores", "boot", "recovery")
_TOP = Path(__file__).parents[2]

app = typer.Typer()
bench = typer.Typer(name="bench", help="Benchmarks, in a checkout: journeys.")
app.add_typer(bench)


class OnlyInCheckouts(PlatformError):
    """What this command runs is not part of an installed package."""

    kind = ErrorKind.UNAVAILABLE


@bench.command("journeys")
def bench_journeys(
    context: typer.Context,
    compare: Annotated[
        str, typer.Option(metavar="NAMES", help=f"Of {', '.join(PEERS)}, by commas.")
    ] = "raw",
    in_flight: Annotated[
        str, typer.Option("--in-flight", metavar="NUMBERS", help="How many runs at once.")
    ] = "1,100,1000",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, to take the medians of.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each measurement.")] = 5,
    only: Annotated[
        str, typer.Option(metavar="PARTS", help=f"Of {', '.join(PARTS)}, by commas.")
    ] = "compare",
    peers_python: Annotated[
        str, typer.Option(metavar="PATH", help="The interpreter that has the peers [this one].")
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", exists=True, file_okay=False, help="On the disk to measure."),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show the 25 dearest functions on stderr.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Speed of journeys, beside that of others on the same work. For checkouts."""
    names = _names(compare, PEERS, "--compare")
    numbers = _numbers(in_flight, "--in-flight")
    parts = _names(only, PARTS, "--only")
    harness = _harness("benchmarks.journeys.bench")
    terminal = Invocation.of(context).terminal
    plan = _harness("benchmarks.journeys.plan").Plan(
        compare=names,
        in_flight=numbers,
        rounds=rounds,
        seconds=seconds,
        peers_python=peers_python,
        only=parts,
        profile=profile,
        folder=folder,
    )
    found = harness.measure(plan, terminal.note)
    if as_json:
        terminal.json(found)
        return
    for columns, rows in harness.tables(found):
        terminal.table(columns, rows)


def _harness(module: str) -> ModuleType:
    """A module of the checkout's tests.

    Raises:
        OnlyInCheckouts: there is none, because this is an installed package.
    """
    file = _TOP / "tests" / Path(*module.split(".")).with_suffix(".py")
    if not file.is_file():
        raise OnlyInCheckouts(
            "trials are part of a checkout, not of the installed package",
            hint="clone the repository, pip install -e . there, and run python main.py bench",
        )
    if str(_TOP) not in sys.path:
        sys.path.insert(0, str(_TOP))
    return import_module(f"tests.{module}")


def _names(given: str, known: tuple[str, ...], option: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name} is none of {', '.join(known)}", param_hint=option)
    return names


def _numbers(given: str, option: str) -> tuple[int, ...]:
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in given.split(",")))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        problem = f"{given} is no list of numbers such as 1,100"
        raise typer.BadParameter(problem, param_hint=option)
    return numbers

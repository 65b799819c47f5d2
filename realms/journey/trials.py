"""Trials of the engine, for checkouts: what they run stands under `tests/`, in no wheel."""

import secrets
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from textwrap import shorten
from types import ModuleType
from typing import Annotated, Any

import typer

from foundations.experience.invocation import AsJson, Invocation
from foundations.experience.terminal import Terminal
from utilities.errors import ErrorKind, PlatformError

PEERS = ("dbos", "langgraph", "celery", "raw")
WORKERS_PEERS = ("celery", "dbos")
PARTS = ("compare", "waits", "slow-disk", "stores", "boot", "recovery")
_TOP = Path(__file__).parents[2]

app = typer.Typer()
bench = typer.Typer(name="bench", help="Benchmarks, in a checkout.")
app.add_typer(bench)
BROKERS = ("rabbitmq", "redis")
chaos = typer.Typer(name="chaos", help="Trials of what runs survive, in a checkout.")
app.add_typer(chaos)

Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same schedule.")]
Lanes = Annotated[int, typer.Option("--lanes", min=1, help="So many cities side by side.")]


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
    _tell(terminal, found, harness.tables, as_json=as_json)


@bench.command("workers")
def bench_workers(
    context: typer.Context,
    compare: Annotated[
        str, typer.Option(metavar="NAMES", help=f"Of {', '.join(WORKERS_PEERS)}, by commas.")
    ] = "",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, to take the medians of.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each measurement.")] = 5,
    peers_python: Annotated[
        str, typer.Option(metavar="PATH", help="The interpreter that has the peers [this one].")
    ] = "",
    profile: Annotated[
        str, typer.Option(metavar="FILE", help="Write a cProfile of the accepting process.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Speed of journeys on workers, beside that of others on the same servers. For checkouts."""
    names = _names(compare, WORKERS_PEERS, "--compare")
    harness = _harness("benchmarks.workers.bench")
    terminal = Invocation.of(context).terminal
    plan = harness.Plan(
        compare=names, rounds=rounds, seconds=seconds, peers_python=peers_python, profile=profile
    )
    found = harness.measure(plan, terminal.note)
    _tell(terminal, found, harness.tables, as_json=as_json)


@bench.command("insights")
def bench_insights(
    context: typer.Context,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, each with all files.")] = 50,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="The first of them [drawn anew].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Whether insights are true: truths are planted into files, and counted when told.

    Exit code 1 where too few are told, or what was not planted is. For checkouts.
    """
    harness = _harness("benchmarks.insights.bench")
    terminal = Invocation.of(context).terminal
    first = secrets.randbelow(10**9) if seed is None else seed
    chosen = list(range(first, first + seeds))
    terminal.note(f"seeds {first} to {first + seeds - 1}")
    found = harness.measure(chosen, terminal.note)
    _tell(terminal, found, harness.shown, as_json=as_json)
    for line in harness.complaints(found)[:_SHOWN]:
        terminal.note(line)
    _require(
        found,
        "the insights are not as true as promised",
        hint=f"the same files again: python main.py bench insights --seed {first} --seeds {seeds}",
    )


@bench.command("retrieval")
def bench_retrieval(context: typer.Context, as_json: AsJson = False) -> None:
    """Whether search finds what answers a question, over the project's documentation.

    Exit code 1 where it finds too little, or less than words or meaning alone. For checkouts.
    """
    harness = _harness("benchmarks.retrieval.bench")
    terminal = Invocation.of(context).terminal
    found = harness.measure(terminal.note)
    _tell(terminal, found, harness.shown, as_json=as_json)
    for question in found["missed"]["hybrid"]:
        terminal.note(f"not found: {question}")
    _require(
        found,
        "search finds less than promised",
        hint="see which questions are not answered, and what is found instead",
    )


@bench.command("search")
def bench_search(
    context: typer.Context,
    passages: Annotated[int, typer.Option(min=1_000, help="How many are stored.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="So often each question is asked.")] = 3,
    as_json: AsJson = False,
) -> None:
    """How long a search takes, beside bare SQLite and a bare matrix product. For checkouts.

    Exit code 1 where 1 of 20 takes longer than promised.
    """
    harness = _harness("benchmarks.retrieval.speed")
    terminal = Invocation.of(context).terminal
    found = harness.measure(passages, rounds, terminal.note)
    _tell(terminal, found, harness.shown, as_json=as_json)
    _require(
        found, "search is slower than promised", hint="is the machine busy with something else?"
    )


@bench.command("indexing")
def bench_indexing(
    context: typer.Context,
    documents: Annotated[int, typer.Option(min=10, help="How many texts.")] = 1_000,
    words: Annotated[int, typer.Option(min=50, help="Of each, at least.")] = 1_500,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, to take the medians of.")] = 1,
    as_json: AsJson = False,
) -> None:
    """What having texts found costs, beside parsing and embedding them directly. For checkouts.

    Exit code 1 where it is more than promised.
    """
    harness = _harness("benchmarks.retrieval.indexing")
    terminal = Invocation.of(context).terminal
    found = harness.measure(documents, words, rounds, terminal.note)
    _tell(terminal, found, harness.shown, as_json=as_json)
    _require(
        found,
        "indexing costs more than promised beside the bare work",
        hint="is the machine busy with something else?",
    )


class PromiseBroken(PlatformError):
    """A trial found a promise broken."""

    kind = ErrorKind.INTERNAL


@app.command("parity")
def parity(
    context: typer.Context,
    journeys: Annotated[
        list[str] | None, typer.Argument(metavar="[TEMPLATE]...", help="Shipped or generated ones.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are shipped, and more.")] = False,
    generated: Annotated[
        int, typer.Option(min=0, help="So many generated templates besides, with --all.")
    ] = 20,
    seed: Seed = 1,
    broker: Annotated[
        str, typer.Option(metavar="NAME", help=f"One of {', '.join(BROKERS)}.")
    ] = BROKERS[0],
    as_json: AsJson = False,
) -> None:
    """Compare journals: of one process on SQLite, and of workers on PostgreSQL. For checkouts.

    Exit code 1 where a journey leaves another journal on workers than in one process.
    """
    if every == bool(journeys):
        raise typer.BadParameter("name templates, or say --all", param_hint="TEMPLATE")
    (kind,) = _names(broker, BROKERS, "--broker")
    terminal = Invocation.of(context).terminal
    _log_errors_only()
    found = _harness("parity.comparing").parity(
        journeys or (), generate=generated, seed=seed, kind=kind, say=terminal.note
    )
    _tell(terminal, found.figures, _as_table, as_json=as_json)
    _refuse_broken("parity", found.broken, f"python main.py parity --all --seed {seed}")


@chaos.command("crash-points")
def chaos_crash_points(
    context: typer.Context,
    every: Annotated[int, typer.Option(min=1, help="Take every so many points only.")] = 1,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Cut the power, then fail, at every statement, publication and send of every journey."""
    _tried(context, "crash-points", every, seed, 1, as_json=as_json)


@chaos.command("kill")
def chaos_kill(
    context: typer.Context,
    kills: Annotated[int, typer.Option(min=1, help="How many processes are killed.")] = 1000,
    seed: Seed = 1,
    lanes: Lanes = 2,
    as_json: AsJson = False,
) -> None:
    """Kill cities under load, at random times and at named places, and let others recover."""
    _tried(context, "kill", kills, seed, lanes, as_json=as_json)


@chaos.command("stop")
def chaos_stop(
    context: typer.Context,
    stops: Annotated[int, typer.Option(min=1, help="How many processes are stopped.")] = 300,
    seed: Seed = 1,
    lanes: Lanes = 2,
    as_json: AsJson = False,
) -> None:
    """Stop one of two engines on a folder beyond its lease, at each named place; let it go on."""
    _tried(context, "stop", stops, seed, lanes, as_json=as_json)


@chaos.command("disk-full")
def chaos_disk_full(
    context: typer.Context,
    rounds: Annotated[int, typer.Option(min=1, help="It lives, closes, is killed, in turn.")] = 3,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Fill the disk under load, and give it room again."""
    _tried(context, "disk-full", rounds, seed, 1, as_json=as_json)


@chaos.command("clock")
def chaos_clock(
    context: typer.Context,
    jumps: Annotated[int, typer.Option(min=1, help="By two hours, back and forth.")] = 20,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Let the clock jump while runs wait for timers, and while leases are held."""
    _tried(context, "clock", jumps, seed, 1, as_json=as_json)


@chaos.command("workers")
def chaos_workers(
    context: typer.Context,
    kills: Annotated[int, typer.Option(min=2, help="How many workers are killed.")] = 200,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Kill workers under load; lose what brokers keep, restart them and the database."""
    _tried(context, "workers", kills, seed, 1, as_json=as_json)


@chaos.command("rolling")
def chaos_rolling(
    context: typer.Context,
    restarts: Annotated[int, typer.Option(min=1, help="How many workers are restarted.")] = 50,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Restart workers one by one under load, each in good order; no attempt may be cut."""
    _tried(context, "rolling", restarts, seed, 1, as_json=as_json)


@chaos.command("flip")
def chaos_flip(
    context: typer.Context,
    runs: Annotated[int, typer.Option(min=1, help="So many are in flight at each flip.")] = 200,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Go from one process to workers and back, twice, with runs in flight; all have to end."""
    _tried(context, "flip", runs, seed, 1, as_json=as_json)


@chaos.command("planted")
def chaos_planted(context: typer.Context, seed: Seed = 1, as_json: AsJson = False) -> None:
    """Plant bugs into the engine, one after the other: a trial that misses one is not trusted."""
    _tried(context, "planted", 1, seed, 1, as_json=as_json)


def _tried(
    context: typer.Context, name: str, count: int, seed: int, lanes: int, *, as_json: bool
) -> None:
    harness = _harness("chaos.trials")
    terminal = Invocation.of(context).terminal
    _log_errors_only()
    result = harness.run(name, count=count, seed=seed, lanes=lanes, say=terminal.note)
    _tell(terminal, result.figures, _as_table, as_json=as_json)
    _refuse_broken(f"the trial {name}", result.broken, f"python main.py chaos {name} --seed {seed}")


def _log_errors_only() -> None:
    from utilities.observability.logs import configure_logs

    configure_logs(level="ERROR")


Figures = Mapping[str, Any]
Tables = Iterable[tuple[Sequence[str], Sequence[Sequence[str]]]]


def _tell(
    terminal: Terminal, found: Figures, tables: Callable[[Figures], Tables], *, as_json: bool
) -> None:
    """Print what was found, as one document or as tables."""
    if as_json:
        terminal.json(found)
        return
    for columns, rows in tables(found):
        terminal.table(columns, rows)


def _as_table(figures: Figures) -> Tables:
    """One table of what is a single figure, and one for each figure that has parts."""
    parted = {key: value for key, value in figures.items() if isinstance(value, Mapping)}
    single = [[key, str(value)] for key, value in figures.items() if key not in parted]
    yield ["figure", "value"], single
    for key, parts in parted.items():
        yield [key, ""], [[part, shorten(str(value), _CELL)] for part, value in parts.items()]


_CELL = 200
"""Characters of what a person reads of one thing; JSON has all of it."""


def _require(found: Figures, problem: str, *, hint: str) -> None:
    """Raise PromiseBroken where what was measured is not what is promised."""
    if not found["passed"]:
        raise PromiseBroken(problem, hint=hint)


def _refuse_broken(what: str, broken: Sequence[str], again: str) -> None:
    """Say what broke a promise, if anything did.

    Raises:
        PromiseBroken: something did.
    """
    terminal = Terminal()
    for line in broken[:_SHOWN]:
        terminal.note(line)
    if broken:
        raise PromiseBroken(f"{len(broken)} times in {what}", hint=f"the same again: {again}")


_SHOWN = 20


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

"""Commands that test journeys without a server, and keep and replay their journals."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundations.experience.invocation import AsJson, Invocation
from utilities.errors import PlatformError

if TYPE_CHECKING:
    from foundations.experience.terminal import Terminal
    from realms.journey.testing.finding import JourneyTests
    from realms.journey.testing.suite import CaseResult, JourneyResult

app = typer.Typer()


@app.command("test")
def run_tests(
    context: typer.Context,
    asked: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FILE]...", help="Journeys or files [all that have tests]."),
    ] = None,
    all_branches: Annotated[
        bool, typer.Option("--all-branches", help="Fail when a branch is never taken.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the tests of journeys, offline and in virtual time. Exit 1 on failures."""
    from realms.journey.testing.finding import JourneyTests, standing
    from realms.journey.testing.suite import play_suite

    invocation = Invocation.of(context)
    _quiet(invocation)
    registry = standing(invocation.platform)
    journeys = JourneyTests(registry)
    results: list[JourneyResult] = []
    faulty: list[PlatformError] = []
    without: list[str] = []
    for path in dict.fromkeys(map(journeys.path, asked)) if asked else journeys.paths():
        try:
            found = journeys.read(path)
        except PlatformError as error:
            faulty.append(error)
            continue
        if not found.suite.cases:
            without.append(found.suite.plan.name)
            continue
        result = play_suite(found.suite, registry=registry, below=found.below)
        results.append(result)
        if not as_json:
            _show(result, invocation.terminal)
    _end(invocation.terminal, results, faulty, without, as_json=as_json)
    missed = all_branches and any(result.never for result in results)
    empty = bool(asked) and bool(without)
    if faulty or missed or empty or not all(result.passed for result in results):
        raise typer.Exit(1)


@app.command("record")
def record_journey(
    context: typer.Context,
    asked: Annotated[str, typer.Argument(metavar="NAME|FILE", help="The journey.")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where the journals go.")],
) -> None:
    """Keep the journals that the tests of a journey write, to be replayed later."""
    from realms.journey.testing.finding import JourneyTests, standing
    from realms.journey.testing.golden import dumped, recorded

    invocation = Invocation.of(context)
    _quiet(invocation)
    registry = standing(invocation.platform)
    journeys = JourneyTests(registry)
    found = journeys.read(journeys.path(asked))
    golden = recorded(found.suite, registry=registry, below=found.below)
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(dumped(golden))
    invocation.terminal.say(f"{to}: {len(golden.runs)} journals of {golden.journey}")


@app.command("replay")
def replay_journals(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Golden journals.")],
    as_json: AsJson = False,
) -> None:
    """Replay kept journals by today's code and templates. Exit 1 when they would go otherwise."""
    from realms.journey.testing.finding import JourneyTests, standing

    invocation = Invocation.of(context)
    _quiet(invocation)
    journeys = JourneyTests(standing(invocation.platform))
    found = {str(file): _replayed(journeys, file) for file in files}
    if as_json:
        invocation.terminal.json(
            [{"file": file, "problems": problems} for file, problems in found.items()]
        )
    for file, problems in found.items() if not as_json else ():
        invocation.terminal.say(f"{file}: {'goes as before' if not problems else 'INCOMPATIBLE'}")
        for problem in problems:
            invocation.terminal.say(f"  {problem}")
    if any(found.values()):
        raise typer.Exit(1)


def _replayed(journeys: "JourneyTests", file: Path) -> list[str]:
    from realms.journey.testing.golden import UnreadableGolden, loaded, replayed

    try:
        data = file.read_bytes()
    except OSError as error:
        raise UnreadableGolden(f"{file} cannot be read: {error.strerror}") from error
    golden = loaded(data, file=str(file))
    return replayed(
        golden,
        lambda text: journeys.plan(text, file=golden.journey),
        today=journeys.texts(),
    )


def _quiet(invocation: Invocation) -> None:
    from utilities.observability.logs import configure_logs

    configure_logs(level="DEBUG" if invocation.debug else "CRITICAL")


def _show(result: "JourneyResult", terminal: "Terminal") -> None:
    terminal.say(f"{result.journey}  {result.file}")
    for test in result.tests:
        _show_test(test, terminal)
    taken = result.branches - len(result.never)
    terminal.say(f"  branches  {taken} of {result.branches} taken")
    for missed in result.never:
        at = f"{result.file}:{missed.line}:{missed.column}"
        terminal.say(f"    {at}  {missed.milestone or 'the run'}: never {missed.branch}")


def _show_test(test: "CaseResult", terminal: "Terminal") -> None:
    crashes = f"  ({test.crashes} crashes)" if test.crashes else ""
    terminal.say(f"  {'passed' if test.passed else 'FAILED'}  {test.name}{crashes}")
    for problem in test.problems:
        terminal.say(f"    {test.file}:{test.line}  {problem}")


def _end(
    terminal: "Terminal",
    results: list["JourneyResult"],
    faulty: list[PlatformError],
    without: list[str],
    *,
    as_json: bool,
) -> None:
    tests = [test for result in results for test in result.tests]
    failed = sum(not test.passed for test in tests)
    if as_json:
        found: dict[str, Any] = {
            "journeys": [result.model_dump(mode="json") for result in results],
            "passed": len(tests) - failed,
            "failed": failed,
            "without_tests": without,
            "faults": [line for error in faulty for line in error.detail.splitlines()],
        }
        terminal.json(found)
        return
    for error in faulty:
        terminal.tell(error)
    if without:
        terminal.say(f"without tests: {', '.join(without)}")
    seconds = sum(test.seconds for test in tests)
    terminal.say(f"{len(tests) - failed} passed, {failed} failed, in {seconds:.1f} s")

"""Commands that do something to runs: start, every verb, the questions, the dead letters."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundations.experience.invocation import AsJson, DataDir, Invocation
from foundations.experience.need import Need
from realms.journey.run_shown import ended_otherwise, goes_on, journeys_within, tell

if TYPE_CHECKING:
    from foundations.experience.client import CityClient
    from foundations.public_works.settings import Settings

RUNS = "JourneyRunsService"
OPERATIONS = "JourneyOperationsService"
LARGEST_JSON = 1 << 20
_LOOK_EVERY_SECONDS = 0.1
WELL, FAILED = frozenset({"succeeded"}), frozenset({"failed"})
CANCELLED, UNDONE = frozenset({"cancelled"}), frozenset({"compensated"})

app = typer.Typer()
dead_letters = typer.Typer(name="dead-letters", help="Failed runs: list, replay, settle.")

Run = Annotated[str, typer.Argument(metavar="RUN", help="Its id or alias.")]
Milestone = Annotated[str, typer.Argument(metavar="MILESTONE", help="Its id in the template.")]
AnyMilestone = Annotated[str, typer.Argument(metavar="[MILESTONE]", help="Its id in the template.")]
Note = Annotated[str, typer.Option(metavar="TEXT", help="Why, for those who read it later.")]
Input = Annotated[
    str, typer.Option("--input", metavar="JSON", help="A JSON object; @FILE reads it from there.")
]
Wait = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="How long to look on, until it ends or waits for somebody."
    ),
]


@app.command("start")
def start_run(
    context: typer.Context,
    template: Annotated[str, typer.Argument(help="The journey, as name or name@version.")],
    values: Input = "{}",
    alias: Annotated[str, typer.Option(metavar="NAME", help="A second, unique id.")] = "",
    rerun: Annotated[bool, typer.Option("--rerun", help="Another one under NAME_2 ...")] = False,
    wait: Wait = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Start a run of a journey. It survives any crash from the moment this answers.

    Exit 1 when it is seen to end otherwise than well; so with the other commands that have it go
    on.
    """
    asked = {"template": template, "input": _json(values), "alias": alias, "rerun": rerun}
    _do(context, RUNS, "start_run", asked, wait, data_dir, as_json)


@app.command("pause")
def pause_run(
    context: typer.Context, run: Run, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Begin nothing of a run any more; what is under way ends."""
    _do(context, OPERATIONS, "pause_run", {"run_id": run}, 0, data_dir, as_json)


@app.command("resume")
def resume_run(
    context: typer.Context,
    run: Run,
    wait: Wait = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Let a paused run go on."""
    _do(context, OPERATIONS, "resume_run", {"run_id": run}, wait, data_dir, as_json)


@app.command("cancel")
def cancel_run(
    context: typer.Context,
    run: Run,
    note: Note = "",
    wait: Wait = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Cut what is under way, in the journeys that the run waits for too, and end it."""
    asked = {"run_id": run, "note": note}
    _do(context, OPERATIONS, "cancel_run", asked, wait, data_dir, as_json, meant=CANCELLED)


@app.command("retry")
def retry_milestone(
    context: typer.Context,
    run: Run,
    milestone: AnyMilestone = "",
    values: Input = "",
    wait: Wait = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Try again what failed, one milestone or all; --input edits what it is given."""
    asked: dict[str, Any] = {"run_id": run, "milestone_id": milestone}
    if values:
        asked["input"] = _json(values)
    _do(context, OPERATIONS, "retry_milestone", asked, wait, data_dir, as_json)


@app.command("skip")
def skip_milestone(
    context: typer.Context,
    run: Run,
    milestone: Milestone,
    result: Annotated[
        str, typer.Option("--result", metavar="JSON", help="What it would have given.")
    ],
    wait: Wait = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Skip a milestone that waits or has failed, with the result it would have had."""
    asked = {"run_id": run, "milestone_id": milestone, "result": _json(result, lists=True)}
    _do(context, OPERATIONS, "skip_milestone", asked, wait, data_dir, as_json)


@app.command("rerun")
def rerun_milestone(
    context: typer.Context,
    run: Run,
    milestone: Milestone,
    note: Note = "",
    wait: Wait = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Do a milestone and all that follows from it anew."""
    asked = {"run_id": run, "milestone_id": milestone, "note": note}
    _do(context, OPERATIONS, "rerun_milestone", asked, wait, data_dir, as_json)


@app.command("rollback")
def roll_back_run(
    context: typer.Context,
    run: Run,
    to: Annotated[str, typer.Option(metavar="MILESTONE", help="Keep it and what was before.")] = "",
    wait: Wait = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Undo what a run did, the last first."""
    asked = {"run_id": run, "to": to}
    _do(context, OPERATIONS, "roll_back_run", asked, wait, data_dir, as_json, meant=UNDONE)


@app.command("signal")
def signal_run(
    context: typer.Context,
    run: Run,
    signal: Annotated[str, typer.Argument(help="What a `wait_for` waits for.")],
    data: Annotated[str, typer.Option("--data", metavar="JSON", help="What it says.")] = "{}",
    signal_id: Annotated[str, typer.Option("--id", help="Counts once in the run.")] = "",
    wait: Wait = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Send a run a signal; one that comes early is kept."""
    asked = {"run_id": run, "signal": signal, "data": _json(data), "id": signal_id}
    _do(context, OPERATIONS, "signal_run", asked, wait, data_dir, as_json)


@app.command("questions")
def list_questions(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Of how many runs.")] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What runs ask that you may answer."""
    invocation = Invocation.of(context)
    found = invocation.ask(OPERATIONS, "list_questions", {"limit": limit}, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    invocation.terminal.table(
        ["question", "run", "journey", "role", "due"],
        [
            [q["wait_id"], q["alias"] or q["run_id"], q["template"], q["role"], q["due"] or ""]
            for q in found["questions"]
        ],
    )


@app.command("answer")
def answer_question(
    context: typer.Context,
    run: Run,
    question: Annotated[str, typer.Argument(help="As `run questions` names it.")],
    answer: Annotated[str, typer.Option("--answer", metavar="JSON", help="As the form asks.")] = "",
    push_back: Annotated[
        bool, typer.Option("--push-back", help="Have the run go back instead.")
    ] = False,
    note: Note = "",
    wait: Wait = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Answer what a run asks, or push it back."""
    asked: dict[str, Any] = {"run_id": run, "wait_id": question}
    if push_back and answer:
        raise typer.BadParameter("a question is answered or pushed back, not both")
    if push_back:
        asked["note"] = note
        _do(context, OPERATIONS, "push_back_question", asked, wait, data_dir, as_json)
        return
    if not answer:
        raise typer.BadParameter("give --answer or --push-back")
    asked["answer"] = _json(answer)
    _do(context, OPERATIONS, "answer_question", asked, wait, data_dir, as_json)


@app.command("fork")
def fork_run(
    context: typer.Context,
    run: Run,
    milestone: AnyMilestone = "",
    values: Input = "",
    alias: Annotated[str, typer.Option(metavar="NAME", help="A second, unique id.")] = "",
    wait: Wait = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Begin another run with this one's input; it does MILESTONE and what follows by itself."""
    asked: dict[str, Any] = {"run_id": run, "milestone_id": milestone, "alias": alias}
    if values:
        asked["input"] = _json(values)
    _do(context, OPERATIONS, "fork_run", asked, wait, data_dir, as_json)


@app.command("migrate")
def migrate_run(
    context: typer.Context,
    run: Run,
    version: Annotated[str, typer.Option(help="Of the journey's text [as it is today].")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else it is a dry run.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell what becomes of a run by another text of its journey, and with --yes do it.

    Exit 1 when it is not possible.
    """
    invocation = Invocation.of(context)
    asked = {"run_id": run, "version": version, "dry_run": not yes}
    found = invocation.ask(OPERATIONS, "migrate_run", asked, data_dir=data_dir, need=Need.WORKING)
    if as_json:
        invocation.terminal.json(found)
    else:
        terminal = invocation.terminal
        for word in ("kept", "goes_on", "dropped", "to_reach"):
            terminal.say(f"{word.replace('_', ' ')}: {', '.join(found[word]) or 'none'}")
        for obstacle in found["obstacles"]:
            terminal.say(f"{obstacle['pointer']}: {obstacle['detail']}")
    if not found["possible"]:
        raise typer.Exit(1)


@app.command("settle")
def settle_run(
    context: typer.Context,
    run: Run,
    note: Note = "",
    settled_by: Annotated[
        str, typer.Option("--by-run", metavar="RUN", help="The run that did its work.")
    ] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take a failed run from the dead letters."""
    asked = {"run_id": run, "note": note, "settled_by": settled_by}
    _do(context, OPERATIONS, "settle_run", asked, 0, data_dir, as_json, meant=FAILED)


dead_letters.command("settle")(settle_run)

Template = Annotated[str, typer.Option(metavar="NAME", help="Only runs of this journey.")]
Why = Annotated[str, typer.Option(metavar="REASON", help="Such as error, contract or timeout.")]
Since = Annotated[str, typer.Option(metavar="TIME", help="Failed then or later, in ISO 8601.")]
Error = Annotated[str, typer.Option(metavar="TEXT", help="Part of the error.")]


@dead_letters.command("list")
def list_dead_letters(
    context: typer.Context,
    template: Template = "",
    reason: Why = "",
    since: Since = "",
    error: Error = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Runs that failed and that nobody has settled, newest first."""
    invocation = Invocation.of(context)
    asked = {**_filter(template, reason, since, error), "limit": limit}
    found = invocation.ask(OPERATIONS, "list_dead_letters", asked, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    _letters(invocation, found["dead_letters"])


@dead_letters.command("replay")
def replay_dead_letters(
    context: typer.Context,
    template: Template = "",
    reason: Why = "",
    since: Since = "",
    error: Error = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
    rate: Annotated[float, typer.Option(min=0.01, max=1000, help="How many a second.")] = 10,
    anew: Annotated[
        bool, typer.Option("--anew", help="As other runs with the same input.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else it is a dry run.")] = False,
    wait: Wait = 600,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell which dead letters would be replayed, and with --yes replay them at a rate."""
    invocation = Invocation.of(context)
    asked = {
        **_filter(template, reason, since, error),
        "limit": limit,
        "per_second": rate,
        "anew": anew,
        "dry_run": not yes,
    }

    async def replay(client: "CityClient", _settings: "Settings") -> dict[str, Any]:
        found = await client.call(OPERATIONS, "replay_dead_letters", asked)
        until = time.monotonic() + (wait if yes else 0)
        while time.monotonic() < until:
            left = await client.call(OPERATIONS, "list_dead_letters", {"limit": 1})
            if not left["replaying"]:
                break
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        return found

    found = invocation.with_city(
        replay, data_dir=data_dir, need=Need.WORKING if yes else Need.READING
    )
    if as_json:
        invocation.terminal.json(found)
        return
    _letters(invocation, found["dead_letters"])
    word = "replayed" if yes else "would be replayed; --yes does it"
    invocation.terminal.note(f"{found['chosen']} {word}")


def _do(
    context: typer.Context,
    service: str,
    api: str,
    asked: dict[str, Any],
    wait: float,
    data_dir: Any,
    as_json: bool,
    *,
    meant: frozenset[str] = WELL,
) -> None:
    """Call a verb, look how the run goes on for a while, and tell how it stands.

    Exit 1 when it has come to an end other than those that are `meant`.
    """
    invocation = Invocation.of(context)

    async def work(client: "CityClient", _settings: "Settings") -> dict[str, Any]:
        found = await client.call(service, api, asked)
        until = datetime.now(UTC) + timedelta(seconds=wait)
        while datetime.now(UTC) < until and await _moves(client, found, by=until):
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            found = await client.call(RUNS, "get_run", {"run_id": found["run_id"]})
        return found

    found = invocation.with_city(work, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
    else:
        tell(found, invocation.terminal)
    if ended_otherwise(found, meant=meant):
        raise typer.Exit(1)


async def _moves(client: "CityClient", run: dict[str, Any], *, by: datetime) -> bool:
    """Whether a run, or a journey that it waits for, goes on by itself until then."""
    if goes_on(run, by=by):
        return True
    for child in journeys_within(run):
        if await _moves(client, await client.call(RUNS, "get_run", {"run_id": child}), by=by):
            return True
    return False


def _json(given: str, *, lists: bool = False) -> Any:
    """JSON from an option, or from the file that `@FILE` names."""
    import orjson

    from foundations.experience.input_files import opened

    try:
        if given.startswith("@"):
            with opened(given[1:], limit=LARGEST_JSON) as file:
                value = orjson.loads(file.path.read_bytes())
        else:
            value = orjson.loads(given)
    except ValueError as error:
        raise typer.BadParameter(f"is no JSON: {error}") from error
    if not isinstance(value, dict) and not (lists and isinstance(value, list)):
        raise typer.BadParameter("is no JSON object")
    return value


def _filter(template: str, reason: str, since: str, error: str) -> dict[str, Any]:
    asked: dict[str, Any] = {"template": template, "error": error}
    if reason:
        asked["reason"] = reason
    if since:
        asked["since"] = since
    return asked


def _letters(invocation: Invocation, letters: list[dict[str, Any]]) -> None:
    invocation.terminal.table(
        ["run", "journey", "failed at", "why", "when"],
        [
            [
                letter["alias"] or letter["run_id"],
                letter["template"],
                " ".join(letter["failed"]),
                letter["error"]["detail"] if letter["error"] else letter["reason"],
                letter["updated_at"],
            ]
            for letter in letters
        ],
    )

"""Commands about journeys, which are templates, and about their runs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundations.experience.invocation import AsJson, DataDir, Invocation
from foundations.experience.need import Need
from realms.journey.run_commands import app as run_verbs
from realms.journey.run_commands import dead_letters
from realms.journey.run_shown import state, tell_all
from realms.journey.template_commands import app as template_verbs
from realms.journey.template_commands import contracts, template_text
from realms.journey.testing_commands import app as testing_verbs
from realms.journey.trials import app as trials

if TYPE_CHECKING:
    from foundations.experience.terminal import Terminal

SERVICE = "JourneyRunsService"

app = typer.Typer()
journey = typer.Typer(
    name="journey", help="Journeys: look at them, check, draw, store and test them."
)
run = typer.Typer(
    name="run", help="Runs of journeys: list, show, start, and all that people do to them."
)
journey.add_typer(template_verbs)
journey.add_typer(testing_verbs)
app.add_typer(journey)
app.add_typer(contracts)
run.add_typer(run_verbs)
app.add_typer(run)
app.add_typer(dead_letters)
app.add_typer(trials)

Name = Annotated[str, typer.Argument(help="The template's name, such as data_mash_flow.")]


@journey.command("list")
def list_journeys(
    context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Every journey template and its milestones."""
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, "list_templates", data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    invocation.terminal.table(
        ["journey", "milestones", "description"],
        [[t["name"], " ".join(t["milestones"]), t["description"]] for t in found["templates"]],
    )


@journey.command("show")
def show_journey(
    context: typer.Context,
    name: Name,
    version: Annotated[str, typer.Option(help="A stored version [the current one].")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """One journey template: what it takes, and its text."""
    invocation = Invocation.of(context)
    terminal = invocation.terminal
    asked = {"name": name, "version": version}
    found = invocation.ask(SERVICE, "get_template", asked, data_dir=data_dir)
    if as_json:
        terminal.json(found)
        return
    terminal.say(f"# {found['file'] or found['name'] + '@' + found['version']}")
    for parameter, schema in found["input"].items():
        terminal.say(f"# takes {parameter}: {schema.get('type', 'anything')}")
    terminal.lines(found["text"])


@journey.command("lint")
def lint_journeys(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML files, - for stdin.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check journey files against the city without running anything. Exit 1 on faults."""
    from foundations.experience.client import CityClient
    from foundations.public_works.settings import Settings
    from realms.journey.language.template_faults import FaultyTemplate
    from realms.journey.runs import lint_report

    invocation = Invocation.of(context)
    texts: dict[str, str | FaultyTemplate] = {}
    for file in files:
        try:
            texts[file] = template_text(file)
        except FaultyTemplate as error:
            texts[file] = error

    async def lint(client: CityClient, _settings: Settings) -> dict[str, dict[str, Any]]:
        return {
            file: await client.call(SERVICE, "lint_template", {"text": text, "file": file})
            if isinstance(text, str)
            else lint_report(text, file).model_dump(mode="json")
            for file, text in texts.items()
        }

    reports = invocation.with_city(lint, data_dir=data_dir, need=Need.NOTHING)
    if as_json:
        invocation.terminal.json([{"file": file, **report} for file, report in reports.items()])
    else:
        _show_reports(reports, invocation.terminal)
    if not all(report["sound"] for report in reports.values()):
        raise typer.Exit(1)


@journey.command("graph")
def draw_journey(context: typer.Context, name: Name, data_dir: DataDir = None) -> None:
    """One journey template as a mermaid flowchart."""
    invocation = Invocation.of(context)
    asked = {"name": name}
    found = invocation.ask(SERVICE, "get_template_graph", asked, data_dir=data_dir)
    invocation.terminal.lines(found["mermaid"])


@run.command("list")
def list_runs(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="Such as running or failed.")] = None,
    template: Annotated[str, typer.Option(help="Only runs of this journey.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Runs, newest first."""
    invocation = Invocation.of(context)
    asked: dict[str, Any] = {"template": template, "limit": limit}
    if status is not None:
        asked["status"] = status
    found = invocation.ask(SERVICE, "list_runs", asked, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    rows = [
        [r["alias"] or r["run_id"], r["template"], state(r), r["created_at"]] for r in found["runs"]
    ]
    invocation.terminal.table(["run", "journey", "status", "created"], rows)


@run.command("show")
def show_run(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(help="Its id or alias.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """One run, milestone by milestone."""
    invocation = Invocation.of(context)
    terminal = invocation.terminal
    found = invocation.ask(SERVICE, "get_run", {"run_id": run_id}, data_dir=data_dir)
    if as_json:
        terminal.json(found)
        return
    tell_all(found, terminal)


@run.command("history")
def show_run_history(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(help="Its id or alias.")],
    after: Annotated[int, typer.Option(min=0, help="Only what came after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 200,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What happened to a run, in order: all that its journal says; --json has every detail."""
    invocation = Invocation.of(context)
    terminal = invocation.terminal
    asked = {"run_id": run_id, "after": after, "limit": limit}
    found = invocation.ask(SERVICE, "get_run_history", asked, data_dir=data_dir)
    if as_json:
        terminal.json(found)
        return
    terminal.table(
        ["", "when", "what", "milestone", "attempt", "who", "why"],
        [
            [
                e["number"],
                e["at"] or "",
                e["kind"].replace("_", " "),
                e["milestone"],
                e["attempt"] or "",
                e["principal"],
                _why(e["details"]),
            ]
            for e in found["events"]
        ],
    )
    if found["next_after"]:
        terminal.note(f"there is more: --after {found['next_after']}")


def _why(details: dict[str, Any]) -> str:
    error = details.get("error", {}).get("detail", "")
    found = (details.get("reason"), error, details.get("note"), details.get("why"))
    return ": ".join(str(part) for part in found if part)


def _show_reports(reports: dict[str, dict[str, Any]], terminal: "Terminal") -> None:
    for file, report in reports.items():
        for fault in report["faults"]:
            terminal.say(fault["text"])
        if report["sound"]:
            terminal.say(f"{file}: sound")

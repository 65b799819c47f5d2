"""`lineage file|finding`: what came from a file, and what made a finding."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundations.experience.invocation import AsJson, DataDir, Invocation

if TYPE_CHECKING:
    from foundations.experience.terminal import Terminal

SERVICE = "DataLineageService"

app = typer.Typer(name="lineage", help="What came from what: file, finding.")


@app.command()
def file(
    context: typer.Context,
    file_id: Annotated[str, typer.Argument(metavar="FILE_ID")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What came from a file: what parsing gave, vectors, index, and the runs that read it."""
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, "trace_file", {"file_id": file_id}, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    terminal = invocation.terminal
    _show_file(found["file"], terminal)
    for one in found["parsed"]:
        tables = f", tables {', '.join(one['tables'])}" if one["tables"] else ""
        terminal.say(f"  parsed    {one['passages']:,} passages{tables}, at {one['artifact']}")
    for one in found["content"]:
        terminal.say(
            f"  meaning   {one['vectors']:,} vectors by {one['model']}, {one['edges']:,} edges, "
            f"{one['content_id']}"
        )
    for one in found["indexed"]:
        terminal.say(f"  index     {one['passages']:,} passages since {one['indexed_at']}")
    for one in found["quality"]:
        terminal.say(f"  quality   {one['report']['score']:g} of 100")
    for run in found["runs"]:
        _show_run(run, terminal)
        terminal.table(*_milestones(run["milestones"]))


@app.command()
def finding(
    context: typer.Context,
    journey_id: Annotated[str, typer.Argument(metavar="JOURNEY", help="A run, or its alias.")],
    number: Annotated[int, typer.Option(min=1, help="Of the run's insights.")] = 1,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What made a finding: file and digest, milestone and attempt, service and version."""
    invocation = Invocation.of(context)
    asked = {"journey_id": journey_id, "number": number}
    found = invocation.ask(SERVICE, "trace_finding", asked, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    invocation.terminal.say(found["finding"]["sentence"])
    _show_file(found["file"], invocation.terminal)
    _show_run(found["run"], invocation.terminal)
    invocation.terminal.table(*_milestones([found["milestone"]]))


def _show_file(record: dict[str, Any], terminal: "Terminal") -> None:
    terminal.say(f"  file      {record['name']} ({record['file_id']})")
    terminal.say(f"  digest    sha-256 {record['sha256']}")


def _show_run(run: dict[str, Any], terminal: "Terminal") -> None:
    terminal.say(
        f"  run       {run['journey_id']} of {run['template']} ({run['template_hash'][:12]}), "
        f"{run['status']}, {run['findings']} findings"
    )


def _milestones(milestones: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    return ["milestone", "service", "version", "status", "attempt"], [
        [
            one["milestone_id"],
            f"{one['service']}.{one['api']}",
            one["service_version"],
            one["status"],
            str(one["attempt"]),
        ]
        for one in milestones
    ]

"""Commands about templates that are stored, about their language, and about schedules."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundations.experience.invocation import AsJson, DataDir, Invocation
from foundations.experience.need import Need

if TYPE_CHECKING:
    from foundations.experience.client import CityClient
    from foundations.public_works.settings import Settings

SERVICE = "JourneyTemplatesService"
_LARGEST = 1 << 20

BREAKING = 3
"""The exit code of `contracts diff` where something that worked may work no more."""

app = typer.Typer()
contracts = typer.Typer(name="contracts", help="Handoff contracts: diff.")


@contracts.callback()
def group() -> None:
    """Handoff contracts."""


@contracts.command("diff")
def compare(
    context: typer.Context,
    before: Annotated[str, typer.Argument(metavar="A", help="A YAML file, or name@version.")],
    after: Annotated[str, typer.Argument(metavar="B", help="A YAML file, or name@version.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What changed from A to B in contracts, inputs and outputs. Exit 3 if it breaks something."""
    invocation = Invocation.of(context)
    files = [Path(given).is_file() or given == "-" for given in (before, after)]

    async def compared(client: "CityClient", _settings: "Settings") -> dict[str, Any]:
        asked = {
            "before": await _text(before, client),
            "after": await _text(after, client),
            "before_file": before,
            "after_file": after,
        }
        return await client.call(SERVICE, "compare_templates", asked)

    need = Need.NOTHING if all(files) else Need.READING
    found = invocation.with_city(compared, data_dir=data_dir, need=need)
    if as_json:
        invocation.terminal.json(found)
    else:
        for change in found["changes"]:
            line = f"{change['impact']:10}  {change['path']}  {change['problem']}"
            invocation.terminal.say(line)
        if not found["changes"]:
            invocation.terminal.say("nothing has changed for others")
    if found["breaking"]:
        raise typer.Exit(BREAKING)


async def _text(given: str, client: "CityClient") -> str:
    """The text of a file, or of a template of the city."""
    if given == "-" or Path(given).is_file():
        return template_text(given)
    name, _, version = given.partition("@")
    asked = {"name": name, "version": version}
    return str((await client.call("JourneyRunsService", "get_template", asked))["text"])


def template_text(file: str) -> str:
    """The text of a template's file.

    Raises:
        FaultyTemplate: it is no text, which no server could be asked about.
    """
    from foundations.experience.input_files import opened

    with opened(file, limit=_LARGEST) as readable:
        data = Path(readable.path).read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if data and (not text or "\0" in text):
        from realms.journey.language.loading import read_template
        from realms.journey.language.template_faults import FaultyTemplate

        raise FaultyTemplate(read_template(data).faults.found, file=file)
    return text


@app.command("put")
def put_journey(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A YAML file, - for stdin.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Store a version of a journey; it is the current one from now on."""
    invocation, text = Invocation.of(context), template_text(file)

    async def put(client: "CityClient", _settings: "Settings") -> dict[str, Any]:
        return await client.call(SERVICE, "put_template", {"text": text, "file": file})

    found = invocation.with_city(put, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    word = "stored" if found["new"] else "is there already"
    invocation.terminal.say(f"{found['name']}@{found['version']} {word}")


@app.command("versions")
def list_versions(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The template's name, such as data_mash_flow.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """The versions of a journey that runs may begin with, the current one first."""
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, "list_versions", {"name": name}, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    rows = [[v["version"], v["file"] or v["put_by"], v["put_at"] or ""] for v in found["versions"]]
    invocation.terminal.table(["version", "from", "stored"], rows)


@app.command("schema")
def show_schema(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it there instead of showing it.")
    ] = None,
) -> None:
    """The JSON Schema of the journey language, for editors."""
    import json

    from realms.journey.language.template import language_schema

    terminal = Invocation.of(context).terminal
    if to is None:
        terminal.json(language_schema())
        return
    to.write_text(json.dumps(language_schema(), indent=2) + "\n", encoding="utf-8")
    terminal.say(f"wrote {to}")


@app.command("schedules")
def list_schedules(
    context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """When runs begin by themselves, the next first."""
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, "list_schedules", data_dir=data_dir, need=Need.READING)
    if as_json:
        invocation.terminal.json(found)
        return
    rows = [
        [s["template"], s["cron"] or f"every {s['every_seconds']:g} s", s["timezone"], s["next_at"]]
        for s in found["schedules"]
    ]
    invocation.terminal.table(["journey", "when", "time zone", "next"], rows)

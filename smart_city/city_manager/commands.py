"""Commands about the city as a whole: its state, its soundness, its graph."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from foundations.experience.exit_codes import CONFIGURATION, DONE
from foundations.experience.invocation import AsJson, DataDir, Invocation
from foundations.experience.need import Need

if TYPE_CHECKING:
    from foundations.experience.client import CityClient
    from foundations.public_works.examining import Examination
    from foundations.public_works.settings import Settings

SERVICE = "CityManagerService"

app = typer.Typer(name="city", help="The city as a whole: status, doctor, verify, graph.")


@app.command()
def status(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Whether a city runs on the data folder, and how it is."""
    from foundations.public_works.data_folder import holder_of

    invocation = Invocation.of(context)
    folder = invocation.settings(data_dir=data_dir).data_dir.expanduser().absolute()
    holder = holder_of(folder)
    if holder is None:
        found: dict[str, Any] = {"running": False, "data_folder": str(folder)}
    elif not holder.url:
        found = {"running": True, "data_folder": str(folder), "pid": holder.pid, "url": ""}
    else:
        state = invocation.ask(SERVICE, "get_city_state", data_dir=data_dir)
        found = {"running": True, "pid": holder.pid, "url": holder.url, **state}
    if as_json:
        invocation.terminal.json(found)
    else:
        _show(found, invocation)


@app.command()
def verify(context: typer.Context) -> None:
    """Boot the city over an empty data folder and tell every fault. Exit 78 when there is one."""
    invocation = Invocation.of(context)

    async def state(client: "CityClient", _settings: "Settings") -> dict[str, Any]:
        return await client.call(SERVICE, "get_city_state", {})

    with tempfile.TemporaryDirectory(prefix="civitas-verify-") as folder:
        empty = invocation.settings().embedded(Path(folder))
        found = invocation.with_city(state, settings=empty, need=Need.READING)
    invocation.terminal.say(
        f"no faults: {found['services']} services, {found['apis']} APIs, {found['agents']} agents, "
        f"realms {', '.join(found['realms'])}"
    )


@app.command()
def doctor(
    context: typer.Context,
    mode: Annotated[
        Literal["disabled", "enabled", "hybrid"] | None,
        typer.Option(help="As if CLOUD_READY_MODE were this."),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell beforehand what a boot would refuse, and how to mend it. Exit 78 when it would."""
    import asyncio

    from foundations.public_works.examining import examined

    invocation = Invocation.of(context)
    settings = invocation.settings(cloud_ready_mode=mode, data_dir=data_dir)
    examination = asyncio.run(examined(settings))
    if as_json:
        invocation.terminal.json(_document(examination))
    else:
        _tell(examination, invocation)
    raise typer.Exit(DONE if examination.sound else CONFIGURATION)


@app.command()
def graph(context: typer.Context, data_dir: DataDir = None) -> None:
    """What is built from what, as a mermaid flowchart."""
    invocation = Invocation.of(context)
    answer = invocation.ask(
        "CuratorFoundationService", "get_graph", data_dir=data_dir, need=Need.NOTHING
    )
    invocation.terminal.lines(answer["mermaid"])


def _document(examination: "Examination") -> dict[str, Any]:
    from dataclasses import asdict

    from foundations.public_works.public_works import stands_on

    components = stands_on(examination.choice)
    return {
        "mode": examination.choice.mode,
        "sound": examination.sound,
        "components": [component.model_dump(mode="json") for component in components],
        "findings": [asdict(found) for found in examination.findings],
    }


def _tell(examination: "Examination", invocation: Invocation) -> None:
    say, choice = invocation.terminal.say, examination.choice
    say(f"mode {choice.mode}")
    invocation.terminal.table(
        ["component", "stands on", "because", "at"],
        [[t.component, t.taken, t.because, t.at] for t in choice.components],
    )
    for found in examination.findings:
        say(f"{found.level:<8} {found.about}: {found.detail}")
        if found.remedy:
            say(f"         fix: {found.remedy}")
    say("a city would boot" if examination.sound else "a city would not boot")


def _show(found: dict[str, Any], invocation: Invocation) -> None:
    say = invocation.terminal.say
    if not found["running"]:
        say(f"stopped: nobody holds {found['data_folder']}")
        say("start it with `civitas serve`")
    elif not found["url"]:
        say(f"process {found['pid']} holds {found['data_folder']} and serves nothing (yet)")
    else:
        say(f"running at {found['url']} as process {found['pid']}, version {found['version']}")
        say(f"data folder {found['data_folder']}, mode {found['mode']}")
        say(f"{found['services']} services, {found['apis']} APIs, {found['agents']} agents")
        say(f"realms {', '.join(found['realms'])}")
        stages = found["boot"]["stages"]
        invocation.terminal.table(
            ["stage", "status", "ms"],
            [[s["name"], s["status"], f"{s['seconds'] * 1000:.0f}"] for s in stages],
        )

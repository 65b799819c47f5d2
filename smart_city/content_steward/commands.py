"""Commands about files: list, versions, usage, and the quarantine."""

from typing import Annotated, Any

import typer

from foundations.experience.invocation import AsJson, DataDir, Invocation
from foundations.experience.need import Need

SERVICE = "ContentStewardService"

app = typer.Typer(name="files", help="Files: list, versions, usage, quarantine, release, destroy.")

FileId = Annotated[str, typer.Argument(metavar="FILE_ID")]
Why = Annotated[str, typer.Option("--reason", help="Kept with the decision.")]


@app.command("list")
def list_files(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """The newest files, at most 200."""
    _show(context, "list_files", {"limit": 200}, data_dir, as_json=as_json)


@app.command()
def versions(
    context: typer.Context, file_id: FileId, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """The files with the name and the owner of this one, newest first."""
    _show(context, "list_versions", {"file_id": file_id}, data_dir, as_json=as_json)


@app.command()
def quarantine(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Harmful files that wait for somebody's decision, at most 200."""
    _show(context, "list_quarantine", {"limit": 200}, data_dir, as_json=as_json)


@app.command()
def usage(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """How much of its room the tenant uses."""
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, "get_usage", data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    limit = f" of {found['limit']:,}" if found["limit"] else ""
    invocation.terminal.say(
        f"{found['used']:,}{limit} bytes: {found['stored']:,} stored, "
        f"{found['quarantined']:,} in quarantine, {found['arriving']:,} arriving"
    )


@app.command()
def release(
    context: typer.Context,
    file_id: FileId,
    reason: Why,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Let a file out of quarantine: it is stored as if nothing had been found."""
    _decide(
        context, "release_file", {"file_id": file_id, "reason": reason}, data_dir, as_json=as_json
    )


@app.command()
def destroy(
    context: typer.Context,
    file_id: FileId,
    reason: Why,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Remove the bytes of a file in quarantine; its record and the reason stay."""
    _decide(
        context, "destroy_file", {"file_id": file_id, "reason": reason}, data_dir, as_json=as_json
    )


def _decide(
    context: typer.Context, api: str, asked: dict[str, Any], data_dir: DataDir, *, as_json: bool
) -> None:
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, api, asked, data_dir=data_dir, need=Need.WORKING)
    if as_json:
        invocation.terminal.json(found)
    else:
        invocation.terminal.say(f"{found['file_id']} is {found['status']}")


def _show(
    context: typer.Context, api: str, asked: dict[str, Any], data_dir: DataDir, *, as_json: bool
) -> None:
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, api, asked, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    invocation.terminal.table(
        ["file", "name", "version", "bytes", "status", "reason"],
        [
            [f["file_id"], f["name"], str(f["version"]), f"{f['size']:,}", f["status"], f["reason"]]
            for f in found["files"]
        ],
    )

"""`retention show|sweep`: what is removed because its retention has ended."""

from typing import Any

import typer

from foundations.experience.invocation import AsJson, DataDir, Invocation

SERVICE = "FileRetentionService"
STEWARD = "DataStewardService"

app = typer.Typer(name="retention", help="Files whose retention has ended: show, sweep, removed.")


@app.command()
def show(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What the next sweep would remove, and what runs still use; nothing is removed."""
    invocation = Invocation.of(context)
    _tell(invocation, invocation.ask(SERVICE, "preview_retention", data_dir=data_dir), as_json)


@app.command()
def sweep(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Remove files whose retention has ended now, as the city does every hour."""
    invocation = Invocation.of(context)
    _tell(invocation, invocation.ask(SERVICE, "sweep_retention", data_dir=data_dir), as_json)


@app.command()
def removed(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What was removed because its retention had ended, the last one first."""
    invocation = Invocation.of(context)
    found = invocation.ask(STEWARD, "list_removals", {"limit": 200}, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    if not found["removals"]:
        invocation.terminal.say("nothing was removed")
        return
    invocation.terminal.table(
        ["removed", "file", "was kept until", "classes", "policy"],
        [
            [
                one["removed_at"][:19],
                one["file_id"],
                one["keep_until"][:10],
                " ".join(one["classes"]),
                one["policy_version"],
            ]
            for one in found["removals"]
        ],
    )


def _tell(invocation: Invocation, found: dict[str, Any], as_json: bool) -> None:
    terminal = invocation.terminal
    if as_json:
        terminal.json(found)
        return
    if not found["unused"] and not found["used"]:
        terminal.say("no file's retention has ended")
        return
    gone = "removed" if found["removed"] else "to be removed"
    rows = [
        [gone, one["file_id"], f"kept until {one['keep_until'][:10]}"] for one in found["unused"]
    ]
    rows += [["in use", one["file_id"], ", ".join(one["runs"])] for one in found["used"]]
    terminal.table(["", "file", ""], rows)

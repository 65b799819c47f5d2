"""Commands about the data policy, and about the data in files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundations.experience.invocation import AsJson, DataDir, Invocation

if TYPE_CHECKING:
    from foundations.experience.terminal import Terminal

SERVICE = "DataStewardService"

app = typer.Typer()
policy = typer.Typer(name="policy", help="The data policy: lint, show.")
data = typer.Typer(name="data", help="Data in files: classes, quality, retention.")
app.add_typer(policy)
app.add_typer(data)

FileId = Annotated[str, typer.Argument(metavar="FILE_ID")]


@policy.command()
def lint(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A data policy in YAML.")],
    as_json: AsJson = False,
) -> None:
    """Tell every fault of a data policy, or that it is sound. Exit 78 when there is a fault."""
    from smart_city.data_steward.policy_reading import policy_from

    stated = policy_from(file)
    terminal = Invocation.of(context).terminal
    if as_json:
        terminal.json({"policy": stated.policy.data_policy, "version": stated.version})
    else:
        terminal.say(
            f"no faults: {stated.policy.data_policy} {stated.version}, "
            f"{len(stated.policy.classes)} classes, {len(stated.policy.detect)} detectors"
        )


@policy.command()
def show(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """The policy that holds: its rules, and who may see which class of data how long."""
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, "get_policies", data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    invocation.terminal.say(f"{found['name']} {found['version']}")
    for rule in found["rules"]:
        invocation.terminal.say(f"  {rule['track']}: {rule['description']}")
    invocation.terminal.table(
        ["class", "seen by", "kept", "told by"],
        [
            [
                one["name"] + (" (refused)" if one["refused"] else ""),
                " ".join(one["may_see"]),
                f"{one['retention_days']:,} days",
                " ".join(one["detectors"]),
            ]
            for one in found["classes"]
        ],
    )


@data.command()
def classes(
    context: typer.Context,
    file_id: FileId,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What classes of data a file holds, and where."""
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, "get_data_classes", {"file_id": file_id}, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    invocation.terminal.say(f"{found['classification']}, kept until {found['keep_until'][:10]}")
    _findings(found["findings"], invocation.terminal)


@data.command()
def quality(
    context: typer.Context, file_id: FileId, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """The score of a file out of 100, and what took points from it."""
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, "get_quality", {"file_id": file_id}, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    report = found["report"]
    invocation.terminal.say(f"{report['score']:g} of 100")
    if report["deductions"]:
        invocation.terminal.table(
            ["less", "for", "because", "where"],
            [
                [f"{one['points']:g}", one["name"], one["reason"], ", ".join(one["where"])]
                for one in report["deductions"]
            ],
        )


@data.command()
def retention(
    context: typer.Context,
    due: Annotated[bool, typer.Option("--due", help="Only files it has ended for.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Files by the end of their retention, the first to end first."""
    invocation = Invocation.of(context)
    found = invocation.ask(SERVICE, "list_retention", {"due": due, "limit": 200}, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    invocation.terminal.table(
        ["until", "file", "classes"],
        [
            [one["keep_until"][:10], one["file_id"], " ".join(one["classes"])]
            for one in found["files"]
        ],
    )


def _findings(findings: list[dict[str, Any]], terminal: "Terminal") -> None:
    if not findings:
        terminal.say("no class of data was found")
        return
    terminal.table(
        ["class", "told by", "where"],
        [[one["data_class"], one["detector"], _where(one)] for one in findings],
    )


def _where(finding: dict[str, Any]) -> str:
    if finding["table"]:
        return f"column {finding['column']} of {finding['table']}"
    numbers = ", ".join(str(number) for number in finding["passages"])
    return f"{finding['count']:,} times, in passages {numbers}"

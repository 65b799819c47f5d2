"""`mash FILE...`: the whole data mash of files, told in sentences, as JSON, or as a report."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundations.experience.exit_codes import DONE, FAILED, REFUSED, exit_code, worst
from foundations.experience.invocation import AsJson, DataDir, Invocation
from realms.solution.lineage_commands import app as lineage
from realms.solution.retention_commands import app as retention
from utilities.errors import ErrorKind, PlatformError
from utilities.observability.trace_id_generator import TraceIDGenerator

if TYPE_CHECKING:
    from foundations.experience.client import CityClient
    from foundations.experience.terminal import Bar, Terminal
    from foundations.public_works.settings import Settings
    from realms.solution.report.content import FileReport, Report

SERVICE = "DataMashSolutionOrchestratorService"
INSIGHTS = "InsightsOrchestrator"
GLANCE_SECONDS = 0.25
"""How long one look at a running mash waits for its end, before the progress is shown."""
_JUDGED_UNFIT = {ErrorKind.INVALID, ErrorKind.UNSUPPORTED, ErrorKind.TOO_LARGE, ErrorKind.REFUSED}

app = typer.Typer()
app.add_typer(lineage)
app.add_typer(retention)


class Format(StrEnum):
    """How the outcome is told."""

    TEXT = "text"
    MD = "md"
    HTML = "html"
    JSON = "json"


@dataclass(slots=True)
class Mash:
    """What became of one file: its outcome, or the error that kept it from having one."""

    file: str
    stdin_name: str = "stdin"
    trace_id: str = field(default_factory=TraceIDGenerator.generate)
    record: dict[str, Any] = field(default_factory=dict)
    outcome: dict[str, Any] = field(default_factory=dict)
    error: PlatformError | None = None
    code: int = DONE

    def document(self) -> dict[str, Any]:
        """All of it for programs; every document has the same first keys."""
        head = {"file": self.file, "file_id": self.record.get("file_id", "")}
        if self.error is None:
            return head | self.outcome
        return head | {
            "success": False,
            "trace_id": self.trace_id,
            "journey_id": "",
            "phases": {},
            "error": _as_data(self.error),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison result as JSON, empty where nothing was compared, or the error it ended in."""

    result: dict[str, Any] = field(default_factory=dict)
    error: PlatformError | None = None
    code: int = DONE


class ReportUnwritable(PlatformError):
    """The report cannot be written where it was asked for."""

    kind = ErrorKind.INVALID


@app.command("mash")
def mash(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files; - for stdin.")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What to call stdin, such as data.csv.")
    ] = "stdin",
    format_: Annotated[
        Format, typer.Option("--format", help="In sentences, or a report of this format.")
    ] = Format.TEXT,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", dir_okay=False, help="Where the report goes."),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Do the whole data mash of files and tell their insights.

    In the running city of the data folder when there is one, else in this process. A file that
    fails does not keep the others from their turn. Several files are compared with each other.
    """
    if output is not None and format_ is Format.TEXT:
        raise typer.BadParameter("name a --format for the report", param_hint="--output")
    if as_json and format_ is not Format.TEXT:
        raise typer.BadParameter("--json prints outcomes, no report", param_hint="--format")
    invocation = Invocation.of(context)

    async def mash_all(client: "CityClient", settings: "Settings") -> tuple[list[Mash], Comparison]:
        with invocation.terminal.progress() as bar:
            mashes = [await _mash(client, Mash(file, name), settings, bar) for file in files]
            return mashes, Comparison() if as_json else await _compared(client, mashes, bar)

    mashes, comparison = invocation.with_city(mash_all, data_dir=data_dir)
    if format_ is not Format.TEXT:
        _write(_report(mashes, comparison.result), format_, output, invocation.terminal)
    elif as_json:
        documents = [mash.document() for mash in mashes]
        invocation.terminal.json(documents[0] if len(documents) == 1 else documents)
    for mash in mashes:
        _tell(mash, invocation.terminal, quiet=as_json or format_ is not Format.TEXT)
    if comparison.result.get("insights") and format_ is Format.TEXT:
        invocation.terminal.say("across the files")
        for insight in comparison.result["insights"]:
            invocation.terminal.say(f"  - {insight['sentence']}")
    if comparison.error is not None:
        invocation.terminal.tell(comparison.error, about="comparing the files")
    raise typer.Exit(worst([*(mash.code for mash in mashes), comparison.code]))


async def _mash(client: "CityClient", mash: Mash, settings: "Settings", bar: "Bar") -> Mash:
    from foundations.experience.input_files import STDIN, opened

    try:
        with opened(mash.file, limit=settings.max_upload_bytes) as readable:
            name = mash.stdin_name if mash.file == STDIN else readable.name
            bar.show(0, 1, f"{name}: upload")
            await _upload(client, mash, readable.path, name)
        mash.outcome = await _followed(client, mash, bar)
        mash.code = DONE if mash.outcome["success"] else FAILED
    except PlatformError as error:
        mash.error = error
        mash.code = mash.code or exit_code(error)
    return mash


async def _upload(client: "CityClient", mash: Mash, path: Any, name: str) -> None:
    """Hand the file over; one that the city judges unfit is refused, not failed."""
    try:
        mash.record = await client.upload(path, name, trace_id=mash.trace_id)
    except PlatformError as error:
        mash.code = REFUSED if error.kind in _JUDGED_UNFIT else DONE
        raise


async def _followed(client: "CityClient", mash: Mash, bar: "Bar") -> dict[str, Any]:
    """The outcome, with progress shown until it is there."""
    asked = {
        "file_id": mash.record["file_id"],
        "own_trace": True,
        "wait_seconds": GLANCE_SECONDS,
    }
    while True:
        outcome = await client.call(
            SERVICE, "execute_data_mash_flow", asked, trace_id=mash.trace_id
        )
        if outcome["success"] or outcome["error"]["code"] != "still_running":
            return outcome
        done = [name for name, phase in outcome["phases"].items() if phase["status"] == "succeeded"]
        total = len(outcome["phases"])
        now = list(outcome["phases"])[min(len(done), total - 1)]
        bar.show(len(done), total, f"{mash.record['name']}: {now}")


async def _compared(client: "CityClient", mashes: list[Mash], bar: "Bar") -> Comparison:
    """What only shows when the files are laid beside each other; empty for a single one.

    Where that fails, what was found in each file is told all the same.
    """
    from realms.business_enablement.api import MOST_COMPARED

    done = [mash.record["file_id"] for mash in mashes if mash.code == DONE]
    file_ids = list(dict.fromkeys(done))[:MOST_COMPARED]
    if len(file_ids) < 2:
        return Comparison()
    bar.show(0, 1, f"{len(file_ids)} files: comparison")
    try:
        answer = await client.call(INSIGHTS, "compare_files", {"file_ids": file_ids})
    except PlatformError as error:
        return Comparison(error=error, code=exit_code(error))
    return Comparison(answer["comparison_result"])


def _report(mashes: list[Mash], compared: dict[str, Any]) -> "Report":
    """All that is known, as the report has it."""
    from foundations.public_works.parsing.insights.model import ComparisonResult
    from realms.solution.report.content import Report
    from utilities.clock import SystemClock

    return Report(
        files=tuple(_file_report(mash) for mash in mashes),
        across=ComparisonResult.model_validate(compared) if compared else None,
        made_at=SystemClock().now().isoformat(sep=" ", timespec="seconds"),
    )


def _file_report(mash: Mash) -> "FileReport":
    from foundations.public_works.parsing.insights.model import InsightsResult
    from realms.solution.report.content import FileReport

    found = _result(mash.outcome, "insights", "insights_result") if mash.outcome else {}
    failed = mash.outcome.get("error") or {}
    error = mash.error.detail if mash.error else failed.get("detail", "")
    hint = mash.error.hint if mash.error else failed.get("hint", "")
    return FileReport(
        file=mash.file,
        file_id=mash.record.get("file_id", ""),
        insights=InsightsResult.model_validate(found) if found else None,
        warnings=tuple(_warnings(mash)) if mash.outcome else (),
        error=error,
        hint=hint,
    )


def _write(report: "Report", format_: Format, output: Path | None, terminal: "Terminal") -> None:
    """Put a report where it was asked for.

    Raises:
        ReportUnwritable: the file cannot be written.
    """
    import json

    match format_:
        case Format.HTML:
            from realms.solution.report.page import page

            text = page(report)
        case Format.MD:
            from realms.solution.report.markdown import markdown

            text = markdown(report)
        case _:
            text = json.dumps(report.document(), indent=2) + "\n"
    if output is None:
        terminal.lines(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportUnwritable(
            f"the report cannot be written to {output}: {error.strerror}",
            hint="name another --output; the files are mashed, and mashing them again is quick",
        ) from error
    terminal.note(f"The report is in {output}.")


def _tell(mash: Mash, terminal: "Terminal", *, quiet: bool) -> None:
    if not quiet:
        terminal.say(mash.file)
        if mash.outcome:
            _tell_outcome(mash, terminal)
    if mash.error is not None:
        terminal.tell(mash.error, about=mash.file)
    elif mash.outcome["error"]:
        error = mash.outcome["error"]
        terminal.note(f"error: {mash.file}: {error['detail']}")
        terminal.note(f"fix: {error['hint'] or 'see `civitas run show ' + _run(mash) + '`'}")


def _tell_outcome(mash: Mash, terminal: "Terminal") -> None:
    for insight in _insights(mash.outcome):
        terminal.say(f"  - {insight['sentence']}")
    phases = mash.outcome["phases"]
    for warning in _warnings(mash):
        terminal.say(f"  ! {warning}")
    terminal.table(
        ["phase", "status", "milestones"],
        [[name, p["status"], " ".join(p["milestones"])] for name, p in phases.items()],
    )
    terminal.say(f"  file      {mash.record['file_id']} at {mash.record['storage_location']}")
    terminal.say(f"  journey   {_run(mash)}")
    terminal.say(f"  trace id  {mash.outcome['trace_id']}")


def _insights(outcome: dict[str, Any]) -> list[dict[str, Any]]:
    """The insights, where the last phase came as far."""
    found: list[dict[str, Any]] = _result(outcome, "insights", "insights_result").get(
        "insights", []
    )
    return found


def _warnings(mash: Mash) -> list[str]:
    """What was noticed about the file, and where it was read otherwise than it stands there."""
    read = _result(mash.outcome, "business_enablement", "parse_result").get("warnings", [])
    lines = [f"line {w['line']}: {w['detail']}" if w["line"] else w["detail"] for w in read]
    return list(dict.fromkeys([*mash.record["warnings"], *lines]))


def _result(outcome: dict[str, Any], phase: str, name: str) -> dict[str, Any]:
    """One result of a phase, empty where the flow did not come as far."""
    for milestone in outcome["phases"][phase]["milestones"].values():
        found: dict[str, Any] = (milestone["output"] or {}).get(name, {})
        return found
    return {}


def _run(mash: Mash) -> str:
    return str(mash.outcome["journey_id"])


def _as_data(error: PlatformError) -> dict[str, Any]:
    return {
        "kind": error.kind.value,
        "code": error.code,
        "title": error.title,
        "detail": error.detail,
        "hint": error.hint,
        "errors": [{"pointer": e.pointer, "detail": e.detail} for e in error.errors],
    }

"""`mash FILE...`: the whole data mash of files, told in sentences or as JSON."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundations.experience.exit_codes import DONE, FAILED, REFUSED, exit_code, worst
from foundations.experience.invocation import AsJson, DataDir, Invocation
from utilities.errors import ErrorKind, PlatformError
from utilities.observability.trace_id_generator import TraceIDGenerator

if TYPE_CHECKING:
    from foundations.experience.client import CityClient
    from foundations.experience.terminal import Bar, Terminal
    from foundations.public_works.settings import Settings

SERVICE = "DataMashSolutionOrchestratorService"
GLANCE_SECONDS = 0.25
"""How long one look at a running mash waits for its end, before the progress is shown."""
_JUDGED_UNFIT = {ErrorKind.INVALID, ErrorKind.UNSUPPORTED, ErrorKind.TOO_LARGE, ErrorKind.REFUSED}

app = typer.Typer()


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


@app.command("mash")
def mash(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files; - for stdin.")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What to call stdin, such as data.csv.")
    ] = "stdin",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Do the whole data mash of files and tell their insights.

    In the running city of the data folder when there is one, else in this process. A file that
    fails does not keep the others from their turn.
    """
    invocation = Invocation.of(context)

    async def mash_all(client: "CityClient", settings: "Settings") -> list[Mash]:
        with invocation.terminal.progress() as bar:
            return [await _mash(client, Mash(file, name), settings, bar) for file in files]

    mashes = invocation.with_city(mash_all, data_dir=data_dir)
    if as_json:
        documents = [mash.document() for mash in mashes]
        invocation.terminal.json(documents[0] if len(documents) == 1 else documents)
    for mash in mashes:
        _tell(mash, invocation.terminal, as_json=as_json)
    raise typer.Exit(worst(mash.code for mash in mashes))


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


def _tell(mash: Mash, terminal: "Terminal", *, as_json: bool) -> None:
    if not as_json:
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

"""Tables and graphs of the documents that come from the registry, the edge and the settings."""

import re
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import typer

from foundations.boot import Works
from foundations.curator.catalogue import Catalogue
from foundations.curator.entries import Entry, Kind
from foundations.experience.application import Application
from foundations.experience.command_line import application as command_line
from foundations.experience.exit_codes import exit_code
from foundations.experience.problems import STATUS
from foundations.experience.scaffold import write_realm
from foundations.public_works.settings import Settings, variable
from main import STAGES, Platform
from smart_city.data_steward.api import DataSteward
from utilities.errors import ErrorKind, PlatformError

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("business_enablement", "journey", "solution")
"""The realms that the documents tell of; a reader's own realm makes no document stale."""

_EDGE = re.compile(r"^  (\w+) --> (\w+)$", re.MULTILINE)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def code(text: str) -> str:
    """Text as code; nothing where there is none."""
    return f"`{text}`" if text else ""


def listed(names: Iterable[str]) -> str:
    """Names as code, with commas."""
    return ", ".join(code(name) for name in names)


async def stages(city: Platform) -> str:
    """The boot order: what each stage enrols, and what of it holds something open."""
    rows = []
    for number, stage in enumerate(STAGES, 1):
        entries = [entry for entry in _shown(city) if _stage_of(entry) == stage.name]
        parts = sum(not entry.listed for entry in entries)
        rows.append(
            [
                str(number),
                code(stage.name),
                _and_parts(listed(entry.name for entry in entries if entry.listed), parts),
                listed(entry.name for entry in entries if _holds_something(entry)),
                listed(entry.name for entry in entries if Works in entry.cls.__mro__),
            ]
        )
    given = listed(entry.name for entry in _shown(city) if not _stage_of(entry))
    head = ["", "stage", "enrols", "opens, and closes in reverse", "works by itself"]
    return f"Before the first stage `main.py` gives: {given}.\n\n{table(head, rows)}"


async def services(city: Platform) -> str:
    """What is built from what, as the catalogue tells it, floor by floor."""
    named = {entry.name: entry for entry in _shown(city) if entry.listed}
    floors: dict[str, list[str]] = {}
    for name, entry in named.items():
        floors.setdefault(_floor(entry), []).append(name)
    lines = ["flowchart LR"]
    for number, (floor, names) in enumerate(floors.items()):
        lines.append(f'  subgraph floor{number}["{floor}"]')
        lines += [f"    {name}" for name in sorted(names)]
        lines.append("  end")
    edges = _EDGE.findall(city.registry.get(Catalogue).graph())
    shown = sorted(edge for edge in edges if set(edge) <= set(named))
    return _mermaid([*lines, *(f"  {one} --> {other}" for one, other in shown)])


async def rooms(city: Platform) -> str:
    """Which room looks at which room's services, without the foundations that all stand on."""
    edges = {
        (_room(entry), _room(other))
        for entry in _shown(city)
        for other in city.registry.dependencies(entry)
        if {entry.room.package.split(".")[0], other.room.package.split(".")[0]}
        <= {"smart_city", "realms"}
        and _room(entry) != _room(other)
    }
    found = sorted({_room(entry) for entry in _shown(city) if "." in entry.room.package})
    lines = ["flowchart LR"]
    for floor in ("realms", "smart_city"):
        lines.append(f'  subgraph floor_{floor}["{floor}"]')
        lines += [f"    {room}" for room, package in found if package == floor]
        lines.append("  end")
    return _mermaid([*lines, *(f"  {one[0]} --> {other[0]}" for one, other in sorted(edges))])


async def roles(city: Platform) -> str:
    """The roles: where each stands, what it does, what it offers."""
    found = [entry for entry in _shown(city) if entry.kind is Kind.ROLE]
    return table(
        ["role", "module", "what it does", "public APIs", "for the inside only"],
        [
            [
                code(entry.name),
                code(entry.cls.__module__),
                _docstring(entry.cls),
                listed(name for name, api in entry.apis.items() if api.public),
                listed(name for name, api in entry.apis.items() if not api.public),
            ]
            for entry in sorted(found, key=lambda entry: entry.name)
        ],
    )


async def realms(city: Platform) -> str:
    """The services of the shipped realms."""
    found = [entry for entry in _shown(city) if entry.listed and _stage_of(entry) == "realms"]
    return table(
        ["realm", "service", "what it does", "public APIs"],
        [
            [
                code(entry.room.realm),
                code(entry.name),
                _docstring(entry.cls),
                listed(name for name, api in entry.apis.items() if api.public),
            ]
            for entry in found
        ],
    )


async def ports(city: Platform) -> str:
    """The protocols of public works and what stands behind each in this version."""
    found: dict[type, Entry] = {}
    for entry in _shown(city):
        for base in entry.cls.__mro__[1:]:
            here = base.__module__.startswith("foundations.public_works")
            if _is_protocol(base) and here and _stage_of(entry) == "public_works":
                found[base] = entry
    return table(
        ["port", "what it is for", "behind it"],
        [
            [code(port.__name__), _docstring(port), code(entry.name)]
            for port, entry in sorted(found.items(), key=lambda item: item[0].__name__)
        ],
    )


async def apis(city: Platform) -> str:
    """Every API with its effect; a public one with its path."""
    found = [entry for entry in _shown(city) if entry.listed]
    return table(
        ["service", "API", "effect", "offered at"],
        [
            [
                code(entry.name),
                code(name),
                str(api.effect),
                code(f"POST {api.path}") if api.public else "",
            ]
            for entry in found
            for name, api in entry.apis.items()
        ],
    )


async def routes(city: Platform) -> str:
    """The hand-made routes; those that come from the APIs are left out."""
    derived = {api.path for api in city.registry.get(Catalogue).apis()}
    mine = re.compile(rf"/api/(?!{'|'.join(_other_realms(city)) or '$'})")
    paths: dict[str, dict[str, Any]] = city.registry.get(Application).asgi.openapi()["paths"]
    return table(
        ["route", "what it does"],
        [
            [code(f"{method.upper()} {path}"), operation.get("summary", "")]
            for path, operations in paths.items()
            if path not in derived and (mine.match(path) or not path.startswith("/api/"))
            for method, operation in operations.items()
        ],
    )


async def commands(_city: Platform) -> str:
    """Every command with the first line of its help."""
    root: Any = typer.main.get_command(command_line())
    return table(
        ["command", "what it does"],
        [[code(f"python main.py {path}"), text] for path, text in _commands(root, "")],
    )


async def settings(_city: Platform) -> str:
    """Every setting, its default and its meaning."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default.value if hasattr(field.default, "value") else field.default
        shown = "" if default is None else str(default)
        rows.append([code(variable(name)), code(shown), field.description or _MEANINGS[name]])
    return table(["variable", "default", "meaning"], rows)


async def error_kinds(_city: Platform) -> str:
    """What a kind of error becomes at the two edges."""
    rows = []
    for wanted in ErrorKind:
        error = type("Example", (PlatformError,), {"kind": wanted})("")
        rows.append([code(wanted.value), str(STATUS[wanted]), str(exit_code(error))])
    return table(["kind", "HTTP status", "exit code"], rows)


async def import_contracts(_city: Platform) -> str:
    """The rules that import-linter keeps."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found = project["tool"]["importlinter"]["contracts"]
    return table(["contract", "what it says"], [[code(c["id"]), c["name"]] for c in found])


async def policy_rules(city: Platform) -> str:
    """The rules of the data policy on both tracks."""
    policies = await city.registry.get(DataSteward).get_policies()
    return table(
        ["track", "rule", "what it says"],
        [[rule.track.value, code(rule.name), rule.description] for rule in policies.rules],
    )


def realm_files() -> dict[str, str]:
    """The files that `new realm tally` writes, each whole, as blocks `realm-file PATH`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        return {
            f"realm-file {path.relative_to(root)}": "\n".join(
                [f"```{_LANGUAGES[path.suffix]}", path.read_text("utf-8").strip(), "```"]
            )
            for path in write_realm("tally", root)
        }


_LANGUAGES = {".py": "python", ".yaml": "yaml"}
_MEANINGS = {
    "host": "a loopback address; any other is refused without `CIVITAS_ACCESS_TOKEN`",
    "files_region": "of the store for files",
    "log_level": "`DEBUG`, `INFO`, `WARNING` or `ERROR`",
    "max_upload_bytes": "of one uploaded file",
    "upload_idle_seconds": "an upload that sends nothing for so long is ended",
    "parse_cpu_seconds": "CPU time that reading one file may take; a second more for each 10 MB",
    "parse_memory_bytes": "memory that reading one file may take",
    "parse_wall_seconds": "time on the clock that reading one file may take",
}
"""Settings that do not describe themselves."""


def _shown(city: Platform) -> list[Entry]:
    """Every entry that the documents tell of, in the order of joining."""
    return [
        entry
        for entry in city.registry.parts()
        if entry.room.package.split(".")[0] in {"foundations", "smart_city", "utilities"}
        or entry.room.package in {f"realms.{realm}" for realm in SHIPPED}
    ]


def _other_realms(city: Platform) -> list[str]:
    """Realms that are not shipped."""
    mine = {entry.room.realm for entry in _shown(city)}
    return sorted(
        {f"{entry.room.realm}/" for entry in city.registry.parts()} - {f"{m}/" for m in mine}
    )


def _stage_of(entry: Entry) -> str:
    """The stage an entry joined in; nothing for what `main.py` gave."""
    if not entry.room.realm:
        return ""
    top, *rest = entry.room.package.split(".")
    return rest[0] if top == "foundations" else top


def _and_parts(names: str, parts: int) -> str:
    counted = [f"{parts} part{'s' * (parts > 1)}"] if parts else []
    return " and ".join([*filter(None, [names]), *counted])


def _floor(entry: Entry) -> str:
    return _stage_of(entry).replace("_", " ")


def _room(entry: Entry) -> tuple[str, str]:
    """A room's name and its floor; roles and realms never share a name."""
    return entry.room.name, entry.room.package.split(".")[0]


def _holds_something(entry: Entry) -> bool:
    return bool(_stage_of(entry)) and issubclass(entry.cls, AbstractAsyncContextManager)


def _is_protocol(cls: type) -> bool:
    return cls is not Protocol and bool(getattr(cls, "_is_protocol", False))


def _docstring(cls: type) -> str:
    return " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())


def _commands(command: Any, path: str) -> Iterable[tuple[str, str]]:
    for name, below in sorted(getattr(command, "commands", {}).items()):
        here = f"{path} {name}".strip()
        if getattr(below, "commands", None):
            yield from _commands(below, here)
        else:
            yield here, (below.help or "").strip().splitlines()[0]


def _mermaid(lines: Sequence[str]) -> str:
    return "\n".join(["```mermaid", *lines, "```"])

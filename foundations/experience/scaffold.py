"""`new realm NAME`: a working realm copied from templates/realm, with its names put in."""

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from foundations.experience.invocation import Invocation
from utilities.errors import ErrorKind, PlatformError

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "templates" / "realm"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

app = typer.Typer(name="new", help="Make something new from a template.")


class BadRealmName(PlatformError):
    """A realm cannot have this name."""

    kind = ErrorKind.INVALID


class RealmExists(PlatformError):
    """Nothing is overwritten."""

    kind = ErrorKind.CONFLICT


class NoCheckout(PlatformError):
    """There is no checkout to put the realm in."""

    kind = ErrorKind.REFUSED


@app.callback()
def group() -> None:
    """Make something new from a template."""


@app.command("realm")
def new_realm(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="In snake_case, such as billing.")],
    into: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The checkout to write to [the one this runs from]."),
    ] = None,
) -> None:
    """Write a working realm: a service, a route, a journey and a test. Nothing is edited."""
    terminal = Invocation.of(context).terminal
    root = _checkout(into)
    written = write_realm(name, root)
    for path in written:
        terminal.say(f"wrote {path.relative_to(root)}")
    terminal.say(f"test it: python -m pytest tests/realms/{name}")


def write_realm(name: str, root: Path) -> list[Path]:
    """Copy the template into `realms/NAME` and `tests/realms/NAME` of a checkout.

    Raises:
        BadRealmName: it is no name in snake_case.
        RealmExists: one of the places is taken.
    """
    _check_name(name)
    names = {
        "{{name}}": name,
        "{{Name}}": "".join(part.title() for part in name.split("_")),
        "{{title}}": name.replace("_", " "),
    }
    files = {
        root / _filled(str(source.relative_to(TEMPLATE)), names): source
        for source in sorted(TEMPLATE.rglob("*"))
        if source.is_file() and "__pycache__" not in source.parts
    }
    places = (root / "realms" / name, root / "realms" / f"{name}.py", root / "tests/realms" / name)
    taken = [place for place in (*places, *files) if place.exists()]
    if taken:
        raise RealmExists(f"{taken[0]} exists already", hint="choose another name, or remove it")
    for target, source in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled(source.read_text("utf-8"), names), "utf-8")
    return list(files)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > 40:
        right = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")[:40]
        right += "_realm" if keyword.iskeyword(right) else ""
        raise BadRealmName(
            f'"{name}" is no name for a realm',
            hint=f"use at most 40 lower-case letters, digits and _, such as {right or 'billing'}",
        )


def _checkout(into: Path | None) -> Path:
    root = ROOT if into is None else into.expanduser().absolute()
    if not (root / "realms").is_dir() or not (root / "pyproject.toml").is_file():
        raise NoCheckout(
            f"{root} is no checkout of the project: it has no realms/ and pyproject.toml",
            hint="run it from a checkout, or name one with --into DIR",
        )
    return root


def _filled(text: str, names: dict[str, str]) -> str:
    for placeholder, value in names.items():
        text = text.replace(placeholder, value)
    return text

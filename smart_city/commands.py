"""Commands about where the city keeps what it knows."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from foundations.experience.invocation import AsJson, Invocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from foundations.public_works.adapters.moving import Moved

app = typer.Typer(name="store", help="Where the city keeps what it knows.")

_FORMS = "sqlite:///FOLDER/city.sqlite3, or postgresql://user:password@host:5432/database."


@app.callback()
def _group() -> None:
    """Let `migrate` be a command of a group, though it is the only one."""


@app.command()
def migrate(
    context: typer.Context,
    source: Annotated[str, typer.Option("--from", help=_FORMS)],
    target: Annotated[str, typer.Option("--to", help="The same; an empty database.")],
    as_json: AsJson = False,
) -> None:
    """Move a stopped city, with its unfinished runs, from one store into another.

    Broken off, the same command goes on where it was. Rows are counted and hashed on both sides.
    Files stay where they are.
    """
    invocation = Invocation.of(context)
    say = invocation.terminal.note if as_json else invocation.terminal.say
    moved = asyncio.run(_moved(source, target, say))
    if as_json:
        tables = [{"table": m.table, "rows": m.rows, "sha256": m.digest} for m in moved]
        invocation.terminal.json({"tables": tables})
    else:
        invocation.terminal.say(f"{sum(m.rows for m in moved)} rows moved, and all are the same")
        set_or_unset = "set" if target.startswith("postgres") else "unset"
        invocation.terminal.say(f"{set_or_unset} CIVITAS_DATABASE_URL: the city begins there now")


async def _moved(source: str, target: str, say: "Callable[[str], None]") -> "list[Moved]":
    from foundations.curator.discovery import realms, roles
    from foundations.public_works.adapters.moving import move
    from foundations.public_works.stage import ROOM
    from foundations.public_works.stores import opened_alone, shown

    rooms = [ROOM, *roles(), *realms()[0]]
    async with opened_alone(source, kept=True) as here, opened_alone(target) as there:
        for room in rooms:
            if room.migrations is not None:
                for database in (here, there):
                    await database.migrate(room.name, room.migrations)
        return await move(here, there, names=(shown(source), shown(target)), say=say)

"""Runs a room's alembic revisions. Each room has a history, and a version table, of its own.

A revision's id is the number its file begins with, `0001` of `0001_files.py`, and the highest is
the head; so a start that has nothing to migrate sees it without loading alembic.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from foundations.public_works.database import SchemaTooNew
from utilities.errors import ErrorKind, PlatformError


class MisnumberedRevision(PlatformError):
    """A revision's id is not what its file's name begins with."""

    kind = ErrorKind.CONFIGURATION


def migrate(connection: Connection, room: str, folder: Path) -> None:
    """Bring the tables of `room` to the head of the revisions in `folder`.

    All in the transaction of `connection`: a step that fails leaves the schema as it was.

    Raises:
        SchemaTooNew: the stored revision is none of those in the folder.
        MisnumberedRevision: a revision's id is not what its file's name begins with.
    """
    table = f"schema_version_{room}"
    known = sorted(path.name.split("_")[0] for path in folder.glob("*_*.py"))
    stored = _stored(connection, table)
    if stored and stored not in known:
        raise SchemaTooNew(
            f"the tables of {room} are at revision {stored}, which this version does not know",
            hint="run the newer version that wrote this data folder, or choose another --data-dir",
        )
    if known and stored != known[-1]:
        _upgrade(connection, table, folder)
        if _stored(connection, table) != known[-1]:
            raise MisnumberedRevision(
                f"the newest revision of {room} is not called {known[-1]}",
                hint=f'in {folder.name}/{known[-1]}_*.py say revision = "{known[-1]}"',
            )


def _stored(connection: Connection, table: str) -> str:
    if not inspect(connection).has_table(table):
        return ""
    return connection.execute(text(f"SELECT version_num FROM {table}")).scalar() or ""  # noqa: S608 - the room's own name


def _upgrade(connection: Connection, table: str, folder: Path) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])

    def steps(revision: object, _: object) -> list[RevisionStep]:
        return list(scripts._upgrade_revs("head", revision))  # type: ignore[arg-type]  # noqa: SLF001 - as alembic's own command does

    context = MigrationContext.configure(
        connection, opts={"version_table": table, "fn": steps, "transactional_ddl": False}
    )
    with Operations.context(context):
        context.run_migrations()

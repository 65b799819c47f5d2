"""Runs a room's alembic revisions. Each room has a history, and a version table, of its own."""

from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from foundations.public_works.database import SchemaTooNew


def migrate(connection: Connection, room: str, folder: Path) -> None:
    """Bring the tables of `room` to the head of the revisions in `folder`.

    All in the transaction of `connection`: a step that fails leaves the schema as it was.

    Raises:
        SchemaTooNew: the stored revision is none of those in the folder.
    """
    scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])

    def steps(revision: object, _: object) -> list[RevisionStep]:
        return list(scripts._upgrade_revs("head", revision))  # type: ignore[arg-type]  # noqa: SLF001 - as alembic's own command does

    context = MigrationContext.configure(
        connection,
        opts={"version_table": f"schema_version_{room}", "fn": steps, "transactional_ddl": False},
    )
    if context.get_current_revision() == scripts.get_current_head():
        return
    try:
        with Operations.context(context):
            context.run_migrations()
    except CommandError as error:
        raise SchemaTooNew(
            f"the tables of {room} are at revision {context.get_current_revision()}, "
            "which this version does not know",
            hint="run the newer version that wrote this data folder, or choose another --data-dir",
        ) from error

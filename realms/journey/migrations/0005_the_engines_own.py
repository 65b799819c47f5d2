"""Only the engine sees the tables of journeys: a commit of it holds many tenants."""

from alembic import op

revision = "0005"
down_revision = "0004"
_TABLES = ("runs", "facts", "texts", "holders", "memos", "templates", "schedules", "leftovers")


def upgrade() -> None:
    """Let nobody but their owner see a row, where the store knows of that."""
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE journey_{table} ENABLE ROW LEVEL SECURITY")

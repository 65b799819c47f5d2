"""Row-level security: what is done for a tenant sees and changes that tenant's rows alone.

Requests take a role that owns nothing. The tables' owner, as whom the engine works, is not bound.
"""

from typing import Any

from sqlalchemy import Connection, Row

ROLE = "civitas_request"
RESTRICT = "SELECT set_config('role', ?, true), set_config('civitas.tenant', ?, true)"
"""For the rest of the transaction."""
_MINE = "tenant = current_setting('civitas.tenant', true)"
_MAKE_ROLE = f"""
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
            CREATE ROLE {ROLE} NOLOGIN;
        END IF;
        IF NOT pg_has_role(current_user, '{ROLE}', 'MEMBER') THEN
            GRANT {ROLE} TO CURRENT_USER;
        END IF;
    END $$
"""
_TABLES = """
    SELECT c.oid::regclass::text AS name,
        EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
        ) AS of_a_tenant
    FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
        AND NOT c.relrowsecurity AND c.relname NOT LIKE 'schema_version_%'
"""
_REFERENCES = """
    SELECT k.conrelid::regclass::text AS child, k.confrelid::regclass::text AS parent,
        a.attname AS child_column, p.attname AS parent_column
    FROM pg_constraint k
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    JOIN pg_attribute p ON p.attrelid = k.confrelid AND p.attnum = k.confkey[1]
    JOIN pg_attribute t ON t.attrelid = k.confrelid AND t.attname = 'tenant'
    WHERE k.contype = 'f' AND cardinality(k.conkey) = 1
        AND k.connamespace = current_schema()::regnamespace
"""


def make_role(connection: Connection) -> None:
    """See to the role of requests; the user may have to be allowed to make it."""
    connection.exec_driver_sql(_MAKE_ROLE)


def secure(connection: Connection) -> None:
    """Bind the tables that are not bound yet, and let requests use them.

    A row belongs to the tenant it names, or to that of the row it refers to. A table that has
    row-level security already is left as its migration made it.
    """
    references = connection.exec_driver_sql(_REFERENCES).all()
    for table, of_a_tenant in connection.exec_driver_sql(_TABLES).all():
        rules = [_MINE] if of_a_tenant else [_of_its(r) for r in references if r.child == table]
        if rules:
            rule = " AND ".join(rules)
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            policy = f"CREATE POLICY of_its_tenant ON {table} USING ({rule}) WITH CHECK ({rule})"
            connection.exec_driver_sql(policy)
        grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {ROLE}"
        connection.exec_driver_sql(grant)
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {ROLE}")
    connection.exec_driver_sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {ROLE}")


def _of_its(reference: Row[Any]) -> str:
    """The row that is referred to is there to be seen, so it is the tenant's own."""
    named, key = reference.parent_column, reference.child_column
    return f"EXISTS (SELECT FROM {reference.parent} AS parent WHERE parent.{named} = {key})"

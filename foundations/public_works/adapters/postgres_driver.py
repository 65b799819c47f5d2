"""PostgreSQL's two drivers: how their connections are set, and what their faults mean.

psycopg is under SQLAlchemy, on threads; asyncpg makes the commits of the hot path, on the loop.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from foundations.public_works.database import (
    ConstraintBroken,
    DatabaseBusy,
    DatabaseUnusable,
    OutcomeUnknown,
    StorageFull,
    TextRefused,
)
from utilities.errors import PlatformError

OLDEST = 140_000
"""PostgreSQL 14, as the server counts versions."""
SESSION: Mapping[str, str] = {
    "application_name": "civitas",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "client_encoding": "UTF8",
}
"""What every connection of ours is set to: nothing of ours may hold up the others for long."""
BY_KEYS: Mapping[str, str] = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""How the statements of the hot path are planned, whatever the server knows of their tables.

They look up rows by keys that they are given. A plan that was made while a table was empty reads
all of it, and is kept until the server counts anew.
"""
DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)
"""Lets a commit wait for the disk where the server's own setting would not; never less than it."""
PASSING = "SELECT set_config('synchronous_commit', 'off', false)"
"""Lets no commit of the session wait for the disk; the next that does takes it along."""
WORKING = "SELECT pg_try_advisory_lock_shared(hashtext('civitas works'))"
"""Held as long as a city works on the database."""
ALONE = "SELECT pg_try_advisory_lock(hashtext('civitas works'))"
BURIED = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = ? AND backend_start::text = ?
"""
"""Ends a backend of ours whose connection broke; no row when it has gone."""
WHO_AM_I = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_RETRIED = ("40001", "40P01")
_LOST = ("08", "57P01", "57P02", "57P03")
_UNUSABLE = {
    "28": "look at the user, the password and pg_hba.conf",
    "3D": "create the database, or name another",
}


class Backend(NamedTuple):
    """One connection as the server knows it; process ids come again, with another start."""

    pid: int
    started: str


def parsed(url: str) -> URL:
    """The URL of a database.

    Raises:
        DatabaseUnusable: it is none.
    """
    try:
        found = make_url(url)
    except ArgumentError as error:
        raise DatabaseUnusable("the URL of the database cannot be read", hint=_FORM) from error
    if found.drivername not in {"postgresql", "postgres"} or not found.database:
        raise DatabaseUnusable("the URL of the database is not PostgreSQL's", hint=_FORM)
    return found


_FORM = "write it as postgresql://user:password@host:5432/database"


@lru_cache(maxsize=512)
def for_psycopg(sql: str) -> str:
    """SQL in which `?` stands for a value, as psycopg wants it."""
    return sql.replace("%", "%%").replace("?", "%s")


@lru_cache(maxsize=512)
def for_asyncpg(sql: str) -> str:
    """SQL in which `?` stands for a value, as asyncpg wants it."""
    numbers = count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", sql)


def code_of(error: BaseException | None) -> str:
    """The SQLSTATE that the server gave to a fault, of either driver; empty for others."""
    return str(getattr(error, "sqlstate", None) or "")


def may_be_retried(error: BaseException | None) -> bool:
    """Whether it failed for another transaction, and may succeed when it is made again."""
    return code_of(error) in _RETRIED


def row_is_there(error: BaseException | None) -> bool:
    """Whether the key of a new row is taken."""
    return code_of(error) == "23505"


def connection_lost(error: BaseException | None) -> bool:
    """Whether the connection broke, so that nothing more comes from it."""
    code = code_of(error)
    return code.startswith(_LOST) if code else isinstance(error, _NO_CONNECTION)


_NO_CONNECTION = (OSError, EOFError)


def explained(error: BaseException | None, *, committing: bool = False) -> PlatformError | None:
    """A fault of a driver in the port's own words; None where it is the statement's own.

    `committing` says that a transaction was on its way into the store when it came.
    """
    code = code_of(error)
    if code.startswith("23"):
        return None
    if code == "22021" or "NUL (0x00)" in str(error):
        return TextRefused(
            "a text holds a character that PostgreSQL does not keep", hint="leave out NUL"
        )
    if code == "53100":
        return StorageFull(
            "the disk of the database server is full", hint="free some space there and retry"
        )
    for prefix, hint in _UNUSABLE.items():
        if code.startswith(prefix):
            return DatabaseUnusable(f"the database refuses: {error}", hint=hint)
    if connection_lost(error) or _broke(error):
        if committing:
            return OutcomeUnknown(
                "the connection to the database broke during a commit",
                hint="look whether it was made, then retry",
            )
        return DatabaseBusy(
            "the database server cannot be reached",
            hint="look whether it runs and answers at CIVITAS_DATABASE_URL, then retry",
        )
    if isinstance(error, NoConnectionFree):
        return DatabaseBusy(
            "every connection to the database is in use",
            hint="retry in a moment, or raise CIVITAS_DATABASE_CONNECTIONS",
        )
    return _busy.get(code) or _busy.get(code[:2])


def _broke(error: BaseException | None) -> bool:
    """Whether a driver itself says, without a word of the server, that the connection is gone."""
    return not code_of(error) and type(error).__name__ in {
        "OperationalError",  # psycopg
        "InterfaceError",  # asyncpg
        "ConnectionDoesNotExistError",
        "InternalClientError",
    }


def forbidden(error: BaseException | None) -> bool:
    """Whether the user may not do it."""
    return code_of(error) == "42501"


def _why(detail: str, hint: str = "retry in a moment") -> DatabaseBusy:
    return DatabaseBusy(detail, hint=hint)


_busy: Mapping[str, DatabaseBusy] = {
    "40": _why("other writes were in the way again and again"),
    "55P03": _why("another write holds what this one needs"),
    "57014": _why("a statement took longer than 30 s and was ended"),
    "53": _why("the database server has no room for more", "look at its memory and connections"),
    "57": _why("the database server is stopping or starting"),
    "58": _why("the database server cannot read or write its disk", "look at its log"),
    "25006": _why("the database server takes no writes", "is it a standby? name the primary"),
}


def broken_constraint(error: BaseException) -> ConstraintBroken:
    return ConstraintBroken(
        f"the tables refuse a row: {error}", hint="read what is stored, then decide anew"
    )

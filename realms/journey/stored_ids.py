"""Lists of ids as a statement of the hot path takes them, in one value."""

from collections.abc import Iterable
from typing import Any

import orjson

from foundations.public_works.database import Dialect

AMONG = {
    Dialect.SQLITE: "IN (SELECT value FROM json_each(?))",
    Dialect.POSTGRESQL: "= ANY(?::text[])",
}
"""Follows a column that is to be one of the ids."""


def listed(dialect: Dialect, ids: Iterable[str]) -> Any:
    """The value of that statement for these ids."""
    given = list(ids)
    return given if dialect is Dialect.POSTGRESQL else orjson.dumps(given).decode()

"""How the journal takes and reads runs on PostgreSQL: rows and entries by one question."""

from foundations.public_works.database import Dialect
from realms.journey.stored_ids import AMONG
from realms.journey.stored_rows import COLUMNS, MOVES, READY

LIVING = "SELECT 1 FROM journey_holders WHERE holder = ? AND ended = 0 FOR SHARE"
"""That a holder's lease has not ended, and does not end before this transaction does."""
_AMONG = AMONG[Dialect.POSTGRESQL]
_ENTRIES = "ARRAY(SELECT f.data FROM journey_facts AS f WHERE f.run_id = r.run_id ORDER BY f.seq)"
LOAD = f"SELECT {COLUMNS}, {_ENTRIES} FROM journey_runs AS r WHERE run_id {_AMONG}"  # noqa: S608 - constants
"""For ids: the rows there are, each with its entries as of the same moment."""
LOAD_AT_REST = (
    f"SELECT {COLUMNS}, {_ENTRIES} FROM unnest(?::text[], ?::bigint[]) AS seen(id, at) "  # noqa: S608 - constants
    f"JOIN journey_runs AS r ON r.run_id = seen.id WHERE NOT {MOVES} "
    "AND r.updated_at IS DISTINCT FROM seen.at"
)
"""For ids and times: of these runs as much, where they do not move and were written since."""
CLAIM = (
    f"WITH living AS MATERIALIZED ({LIVING}), "  # noqa: S608 - constants
    "free AS MATERIALIZED (SELECT run_id AS id, xmin AS version FROM journey_runs "
    f"WHERE run_id {_AMONG} AND {READY} AND EXISTS (SELECT FROM living) "
    "FOR UPDATE SKIP LOCKED), "
    "r AS (UPDATE journey_runs AS mine SET holder = ?::int FROM free "
    "WHERE mine.run_id = free.id RETURNING free.version, "
    + ", ".join(f"mine.{column}" for column in COLUMNS.split(", "))
    + f") SELECT {COLUMNS}, CASE WHEN EXISTS (SELECT FROM journey_runs AS seen "  # noqa: S608 - constants
    f"WHERE seen.run_id = r.run_id AND seen.xmin = r.version) THEN {_ENTRIES} END FROM r"
)
"""For a holder, ids, a time and the holder again: rows as they are now, each with its entries.

A statement sees entries as they were when it began, but waits for nobody's row and locks the
newest: where somebody let go of the run in between there are no entries, and they are to be read.
"""

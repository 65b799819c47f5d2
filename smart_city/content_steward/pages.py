"""Lists of files in pages, newest first."""

from smart_city.content_steward.api import FilePage, FileStatus, Track
from smart_city.content_steward.records.files import FileRecords
from utilities.context import current
from utilities.errors import ErrorKind, PlatformError

MOST_LISTED = 200


class BadPage(PlatformError):
    """This page of the list does not exist."""

    kind = ErrorKind.INVALID


async def page_of(
    records: FileRecords, track: Track, *, limit: int, cursor: str, status: FileStatus | None = None
) -> FilePage:
    """A page of the caller's tenant's files; `cursor` is the `next_cursor` of another.

    Raises:
        BadPage: the cursor is none that was given to this tenant, or the limit is no page's.
    """
    tenant = current().tenant
    if not 1 <= limit <= MOST_LISTED:
        raise BadPage(f"a page has 1 to {MOST_LISTED} files, not {limit}")
    if cursor and await records.find(tenant, track, cursor) is None:
        raise BadPage("the cursor is unknown", hint="begin without one, then use next_cursor")
    found = await records.page(tenant, track, before=cursor, limit=limit + 1, status=status)
    more = len(found) > limit
    return FilePage(files=found[:limit], next_cursor=found[limit - 1].file_id if more else "")

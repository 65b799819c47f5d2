"""Search over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from foundations.experience.edge import Answer, Call
from smart_city.librarian.api import SearchResults

router = APIRouter(prefix="/api/search", tags=["search"])


@router.get("", summary="Search over what is known", response_model=Answer[SearchResults])
async def search(
    call: Call,
    q: Annotated[str, Query(max_length=1000, examples=["rain in january"])],
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Response:
    """The best passages for a question, by words and by meaning, best first."""
    return await call("LibrarianService", "search", q=q, limit=limit)

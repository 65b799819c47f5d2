"""Search and the graph over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from foundations.experience.edge import Call, answers
from foundations.public_works.content_graph import LAST
from foundations.public_works.graph.model import Entities, FileGraph, Mentions
from foundations.public_works.search_modes import SearchMode
from smart_city.librarian.api import SearchResults

router = APIRouter()
_GRAPH = "ContentGraphAbstraction"

Offset = Annotated[int, Query(ge=0, le=LAST)]
Names = Annotated[list[str], Query(max_length=100)]


@router.get(
    "/api/search",
    tags=["search"],
    summary="Search over what is known",
)
@answers(SearchResults)
async def search(
    call: Call,
    q: Annotated[str, Query(max_length=1000, examples=["rain in january"])],
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    mode: Annotated[SearchMode, Query(description="words, meaning, or both fused")] = (
        SearchMode.HYBRID
    ),
    file: Annotated[Names, Query(description="in these files only, by id")] = [],  # noqa: B006 - FastAPI copies it
    kind: Annotated[Names, Query(description="table, text, or a format such as pdf")] = [],  # noqa: B006 - the same
    since: Annotated[AwareDatetime | None, Query(description="indexed then or later")] = None,
    until: Annotated[AwareDatetime | None, Query(description="indexed before")] = None,
) -> Response:
    """The best passages for a question, best first, with the words of the question marked."""
    only = {
        "files": file,
        "kinds": kind,
        "since": since and since.isoformat(),
        "until": until and until.isoformat(),
    }
    return await call("LibrarianService", "search", q=q, limit=limit, mode=mode.value, only=only)


@router.get(
    "/api/knowledge/files/{file_id}",
    tags=["knowledge"],
    summary="What a file contains",
)
@answers(FileGraph)
async def file_graph(
    call: Call,
    file_id: Annotated[str, Path(max_length=100, examples=["01jd3k2m9x0000000000000000"])],
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Response:
    """Its sections, tables, columns and entities, and a page of the edges between them."""
    return await call(_GRAPH, "get_file_graph", file_id=file_id, offset=offset, limit=limit)


@router.get(
    "/api/knowledge/entities",
    tags=["knowledge"],
    summary="What files name",
)
@answers(Entities)
async def entities(
    call: Call,
    q: Annotated[str, Query(max_length=200, description="how their names begin")] = "",
    kind: Annotated[str, Query(max_length=20, examples=["mail"])] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Dates, amounts, addresses, identifiers and phrases, the most mentioned first."""
    return await call("LibrarianService", "list_entities", q=q, kind=kind, limit=limit)


@router.get(
    "/api/knowledge/mentions",
    tags=["knowledge"],
    summary="Where an entity is mentioned",
)
@answers(Mentions)
async def mentions(
    call: Call,
    entity: Annotated[str, Query(max_length=400, examples=["entity:phrase/rain gauge"])],
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """The passages that mention it in all files, and which run and milestone stored them."""
    return await call(_GRAPH, "find_mentions", entity=entity, offset=offset, limit=limit)

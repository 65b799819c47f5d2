"""Another model for search: built beside the one that answers, switched to in one transaction."""

from typing import Annotated

from loguru import logger
from pydantic import Field

from foundations.declarations import Effect, service, soa_api
from foundations.public_works.embedder import Embedder
from foundations.public_works.parsing.models import Passage
from foundations.public_works.records import place_at
from foundations.public_works.vectors.records import IndexedBy, VectorRecords
from utilities.context import current
from utilities.models import FrozenModel

_AT_ONCE = 256


class SearchIndex(FrozenModel):
    """What a tenant's search by meaning stands on.

    `done` of `passages` have a vector of the `wanted` model, which the settings name. `current`
    says that search stands on it.
    """

    model: str
    wanted: str
    passages: int
    done: int
    current: bool


@service
class ContentIndexAbstraction:
    """Moves a tenant's search from one embedder to another."""

    def __init__(self, *, vectors: VectorRecords, embedder: Embedder) -> None:
        self._vectors = vectors
        self._embedder = embedder

    @soa_api(public=True, effect=Effect.PURE)
    async def describe_index(self) -> SearchIndex:
        """Which model search stands on, and how far the wanted one is."""
        tenant, wanted = current().tenant, self._embedder.model
        stands_on = await self._vectors.indexed_by(tenant)
        done, passages = await self._vectors.counted(tenant, wanted)
        model = stands_on.model if stands_on else ""
        return SearchIndex(
            model=model,
            wanted=wanted,
            passages=passages,
            done=done,
            current=model in ("", wanted) and done == passages,
        )

    @soa_api(public=True, effect=Effect.KEYED)
    async def reindex(self, most: Annotated[int, Field(ge=1, le=100_000)] = 2_000) -> SearchIndex:
        """Embed some passages by the wanted model; when all are, let search stand on it.

        Call it until `current`. Search answers by the old model until then. What was embedded is
        kept, so a call that was broken off is gone on with by the next.
        """
        tenant = current().tenant
        for _ in range(0, most, _AT_ONCE):
            if not await self._embed_some(tenant):
                await self._switch(tenant)
                break
        return await self.describe_index()

    async def _embed_some(self, tenant: str) -> bool:
        """Embed passages that the wanted model has not; whether there were any."""
        lacking = await self._vectors.without(tenant, self._embedder.model, _AT_ONCE)
        if not lacking:
            return False
        told = [
            Passage(number=number, place=place_at(place, at), text=text)
            for _, number, place, at, text in lacking
        ]
        found = await self._embedder.embed([passage.in_context for passage in told])
        rows = [
            (file_id, number, vector.astype("<f4").tobytes())
            for (file_id, number, *_), vector in zip(lacking, found, strict=True)
        ]
        await self._vectors.add_missing(tenant, self._embedder.model, rows)
        current().heartbeat()
        return True

    async def _switch(self, tenant: str) -> None:
        stands_on = await self._vectors.indexed_by(tenant)
        wanted = IndexedBy(self._embedder.model, self._embedder.dimensions)
        if stands_on is None or stands_on.model == wanted.model:
            return
        if await self._vectors.switch(tenant, wanted):
            logger.info("search of {} stands on {} now", tenant, wanted.model)

"""Runs the data mash by registry look-up, and gives account of what three roles did in it."""

from collections.abc import Awaitable
from typing import TypeVar

from foundations.curator.registry import Registry
from foundations.declarations import Effect, service, soa_api
from smart_city.content_steward.api import ContentSteward
from smart_city.data_orchestrator.api import (
    DataMashAccount,
    DataOrchestrator,
    DataStewardAccount,
)
from smart_city.data_steward.api import DataSteward, QualityUnknown
from smart_city.librarian.api import Librarian, NotIndexed
from utilities.context import current
from utilities.errors import PlatformError

T = TypeVar("T")

FLOW = ("DataMashSolutionOrchestratorService", "execute_data_mash_flow")
"""The flow stands in a realm, above the roles: it is found by name when it is called."""


@service
class DataOrchestratorService(DataOrchestrator):
    """Runs the data mash and gives account of it."""

    def __init__(
        self, *, registry: Registry, files: ContentSteward, data: DataSteward, library: Librarian
    ) -> None:
        self._registry = registry
        self._files = files
        self._data = data
        self._library = library

    @soa_api(public=True, effect=Effect.KEYED)
    async def orchestrate_data_mash_flow(self, file_id: str) -> DataMashAccount:
        """Run the data mash on a file, or join the run there is, and tell what was done.

        A phase that fails does not raise: `success` is false, and `flow` has the error beside the
        results so far.

        Raises:
            FileUnknown: the caller's tenant has no such client file.
            NotRegistered: no data mash is installed.
        """
        await self._files.get_file(file_id)
        api = self._registry.api(*FLOW)
        flow = api.dump(await api.call({"file_id": file_id}))
        return DataMashAccount(
            success=bool(flow.get("success")),
            trace_id=str(flow.get("trace_id") or current().trace_id),
            journey_id=str(flow.get("journey_id") or ""),
            flow=flow,
            content_steward=await self._files.get_file(file_id),
            data_steward=DataStewardAccount(
                decisions=(await self._data.get_decisions(file_id)).decisions,
                quality=await _if_any(self._data.get_quality(file_id), QualityUnknown),
                lineage=(await self._data.get_lineage(file_id)).links,
            ),
            librarian=await _if_any(self._library.get_entry(file_id), NotIndexed),
        )


async def _if_any(asked: Awaitable[T], absent: type[PlatformError]) -> tuple[T, ...]:
    """The answer, or nothing where the flow did not get that far."""
    try:
        return (await asked,)
    except absent:
        return ()

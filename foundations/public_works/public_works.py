"""Public works as a foundation: tells which real thing stands behind each port."""

from pydantic import BaseModel, ConfigDict

from foundations.declarations import service, soa_api
from foundations.public_works.database import Database
from foundations.public_works.dispatch import Dispatch
from foundations.public_works.events import Events
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.settings import CloudReadyMode, Settings


class Infrastructure(BaseModel):
    """The mode and, for each port, the adapter in use."""

    model_config = ConfigDict(frozen=True)

    mode: CloudReadyMode
    adapters: dict[str, str]


@service
class PublicWorksFoundationService:
    """Keeps the infrastructure: database, object store, dispatch and events."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        objects: ObjectStore,
        dispatch: Dispatch,
        events: Events,
    ) -> None:
        self._mode = settings.cloud_ready_mode
        self._ports = {
            "database": database,
            "objects": objects,
            "dispatch": dispatch,
            "events": events,
        }

    @soa_api(public=True)
    async def describe_infrastructure(self) -> Infrastructure:
        """The mode the city runs in and the adapter behind each port."""
        adapters = {port: type(adapter).__name__ for port, adapter in self._ports.items()}
        return Infrastructure(mode=self._mode, adapters=adapters)

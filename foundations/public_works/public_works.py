"""Public works as a foundation: tells which real thing stands behind each port."""

from foundations.declarations import service, soa_api
from foundations.public_works.cloud_ready import Choice, Component, Taken, chosen
from foundations.public_works.database import Database
from foundations.public_works.dispatch import Dispatch
from foundations.public_works.events import Events
from foundations.public_works.object_store import ObjectStore
from foundations.public_works.settings import CloudReadyMode, Settings
from utilities.models import FrozenModel


class StandsOn(FrozenModel):
    """What a component stands on, which setting decided, and where that is, without a secret."""

    component: Component
    taken: Taken
    cloud_ready: bool
    because: str
    at: str


class Infrastructure(FrozenModel):
    """The mode, what each component took and, for each port, the adapter in use."""

    mode: CloudReadyMode
    components: tuple[StandsOn, ...]
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
        self._choice = chosen(settings)
        self._ports = {
            "database": database,
            "objects": objects,
            "dispatch": dispatch,
            "events": events,
        }

    @soa_api(public=True)
    async def describe_infrastructure(self) -> Infrastructure:
        """The mode the city runs in, what each component took, and what stands behind the ports."""
        adapters = {port: type(adapter).__name__ for port, adapter in self._ports.items()}
        components = stands_on(self._choice)
        return Infrastructure(mode=self._choice.mode, components=components, adapters=adapters)


def stands_on(choice: Choice) -> tuple[StandsOn, ...]:
    """What was chosen, as it is told outside."""
    return tuple(
        StandsOn(
            component=taking.component,
            taken=taking.taken,
            cloud_ready=taking.cloud_ready,
            because=taking.because,
            at=taking.at,
        )
        for taking in choice.components
    )

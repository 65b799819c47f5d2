"""The smart city gateway: every role by its class name, typed."""

from typing import Literal, overload

from foundations.curator.registry import NotRegistered, Registry
from foundations.declarations import service
from smart_city.api_gateway.api import APIGateway
from smart_city.city_manager.api import CityManager
from smart_city.communication_director.api import CommunicationDirector
from smart_city.content_steward.api import ContentSteward
from smart_city.data_orchestrator.api import DataOrchestrator
from smart_city.data_steward.api import DataSteward
from smart_city.librarian.api import Librarian
from smart_city.nurse.api import Nurse
from smart_city.post_office.api import PostOffice
from smart_city.security_guard.api import SecurityGuard
from smart_city.traffic_cop.api import TrafficCop
from utilities.suggest import did_you_mean


@service
class SmartCityGateway:
    """Gives out roles by name; their APIs take `trace_id=` and `user_context=` from code inside."""

    def __init__(self, *, registry: Registry) -> None:
        self._registry = registry

    @overload
    def get_smart_city_api(self, name: Literal["APIGatewayService"]) -> APIGateway: ...
    @overload
    def get_smart_city_api(self, name: Literal["CityManagerService"]) -> CityManager: ...
    @overload
    def get_smart_city_api(
        self, name: Literal["CommunicationDirectorService"]
    ) -> CommunicationDirector: ...
    @overload
    def get_smart_city_api(self, name: Literal["ContentStewardService"]) -> ContentSteward: ...
    @overload
    def get_smart_city_api(self, name: Literal["DataOrchestratorService"]) -> DataOrchestrator: ...
    @overload
    def get_smart_city_api(self, name: Literal["DataStewardService"]) -> DataSteward: ...
    @overload
    def get_smart_city_api(self, name: Literal["LibrarianService"]) -> Librarian: ...
    @overload
    def get_smart_city_api(self, name: Literal["NurseService"]) -> Nurse: ...
    @overload
    def get_smart_city_api(self, name: Literal["PostOfficeService"]) -> PostOffice: ...
    @overload
    def get_smart_city_api(self, name: Literal["SecurityGuardService"]) -> SecurityGuard: ...
    @overload
    def get_smart_city_api(self, name: Literal["TrafficCopService"]) -> TrafficCop: ...
    @overload
    def get_smart_city_api(self, name: str) -> object: ...
    def get_smart_city_api(self, name: str) -> object:
        """The role with this class name, such as `TrafficCopService`.

        Raises:
            NotRegistered: no role has this name; the hint has the nearest one.
        """
        roles = self.roles()
        if name not in roles:
            raise NotRegistered(
                f'no role of the smart city is called "{name}"',
                hint=did_you_mean(name, roles) or f"there are {', '.join(roles)}",
            )
        return self._registry.named(name)

    def roles(self) -> tuple[str, ...]:
        """The class names of all roles."""
        return tuple(
            entry.name
            for entry in self._registry.entries()
            if entry.room.package.startswith("smart_city.")
        )

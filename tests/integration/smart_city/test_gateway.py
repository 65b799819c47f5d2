"""The gateway gives out every role by its class name, and nothing else."""

import pytest

from foundations.curator.registry import NotRegistered
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
from tests.support.role_city import SOUTH, RoleCity

pytestmark = pytest.mark.anyio

ROLES = {
    "APIGatewayService": APIGateway,
    "CityManagerService": CityManager,
    "CommunicationDirectorService": CommunicationDirector,
    "ContentStewardService": ContentSteward,
    "DataOrchestratorService": DataOrchestrator,
    "DataStewardService": DataSteward,
    "LibrarianService": Librarian,
    "NurseService": Nurse,
    "PostOfficeService": PostOffice,
    "SecurityGuardService": SecurityGuard,
    "TrafficCopService": TrafficCop,
}


@pytest.mark.parametrize("name", ROLES)
async def test_role_is_found_by_its_class_name(city: RoleCity, name: str) -> None:
    role = city.gateway.get_smart_city_api(name)

    assert type(role).__name__ == name
    assert ROLES[name] in type(role).__mro__


async def test_there_are_no_other_roles(city: RoleCity) -> None:
    assert set(city.gateway.roles()) == set(ROLES)


async def test_wrong_name_gets_the_right_one_suggested(city: RoleCity) -> None:
    with pytest.raises(NotRegistered) as missed:
        city.gateway.get_smart_city_api("TraficCopService")

    assert missed.value.hint == 'Did you mean "TrafficCopService"?'


@pytest.mark.parametrize("name", ["SmartCityGateway", "ContentMetadataAbstraction", "?"])
async def test_what_is_no_role_is_not_given_out(city: RoleCity, name: str) -> None:
    with pytest.raises(NotRegistered) as missed:
        city.gateway.get_smart_city_api(name)

    assert missed.value.hint


async def test_role_from_the_gateway_takes_trace_and_user_from_code_inside(
    city: RoleCity,
) -> None:
    cop = city.gateway.get_smart_city_api("TrafficCopService")

    session = await cop.open_session(trace_id="abc", user_context=SOUTH)  # type: ignore[call-arg]  # @soa_api takes both

    assert (session.trace_id, session.tenant) == ("abc", "south")

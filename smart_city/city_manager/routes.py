"""The city and its boot over HTTP."""

from fastapi import APIRouter
from starlette.responses import Response

from foundations.experience.edge import Call, answers
from foundations.public_works.public_works import Infrastructure
from smart_city.city_manager.api import BootState, CityState

router = APIRouter(prefix="/api/city", tags=["city"])


@router.get("/boot", summary="The stages of the boot")
@answers(BootState)
async def show_boot(call: Call) -> Response:
    """In the order in which they were entered, each with the time it took."""
    return await call("CityManagerService", "get_boot")


@router.get("/state", summary="The city at this moment")
@answers(CityState)
async def show_state(call: Call) -> Response:
    """Version, mode, data folder, uptime, and how much of everything there is."""
    return await call("CityManagerService", "get_city_state")


@router.get("/mode", summary="What the city stands on")
@answers(Infrastructure)
async def show_mode(call: Call) -> Response:
    """The mode, and what each component took, which setting decided, and where it is."""
    return await call("PublicWorksFoundationService", "describe_infrastructure")

"""What the rest of the city may know about the nurse."""

from typing import Protocol

from pydantic import Field

from foundations.curator.health import HealthStatus
from utilities.models import FrozenModel


class ComponentHealth(FrozenModel):
    """One component: how it is, why, and how long it took to say so."""

    name: str
    status: HealthStatus
    detail: str = ""
    seconds: float = Field(ge=0)


class CityHealth(FrozenModel):
    """Every component, the worst first. `status` is that of the worst."""

    status: HealthStatus
    components: tuple[ComponentHealth, ...]


class Nurse(Protocol):
    """Looks after the health of the city."""

    async def check_health(self) -> CityHealth:
        """Ask every component, each with a time limit."""
        ...

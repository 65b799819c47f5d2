"""What the rest of the city may know about the nurse."""

from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from foundations.curator.health import HealthStatus


class ComponentHealth(BaseModel):
    """One component: how it is, why, and how long it took to say so."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: HealthStatus
    detail: str = ""
    seconds: float = Field(ge=0)


class CityHealth(BaseModel):
    """Every component, the worst first. `status` is that of the worst."""

    model_config = ConfigDict(frozen=True)

    status: HealthStatus
    components: tuple[ComponentHealth, ...]


class Nurse(Protocol):
    """Looks after the health of the city."""

    async def check_health(self) -> CityHealth:
        """Ask every component, each with a time limit."""
        ...

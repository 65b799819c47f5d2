"""Health as a component tells it of itself."""

from enum import StrEnum
from typing import Protocol, cast

from utilities.models import FrozenModel


class HealthStatus(StrEnum):
    """How a component is."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class Health(FrozenModel):
    """A status and, when it is not plain, the reason."""

    status: HealthStatus = HealthStatus.HEALTHY
    detail: str = ""


class TellsHealth(Protocol):
    """A component that can look at itself. The others are healthy as long as they stand."""

    async def health(self) -> Health: ...


async def health_of(component: object) -> Health:
    """Ask a component how it is."""
    if TellsHealth in type(component).__mro__:
        return await cast("TellsHealth", component).health()
    return Health()

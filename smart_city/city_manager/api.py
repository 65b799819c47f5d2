"""What the rest of the city may know about the city manager."""

from datetime import datetime
from typing import Protocol

from pydantic import Field

from foundations.boot import StageStatus
from utilities.models import FrozenModel


class StageState(FrozenModel):
    """One stage of the boot; `seconds` is how long it took to open."""

    name: str
    status: StageStatus
    seconds: float


class BootState(FrozenModel):
    """The boot, in the order of its stages."""

    ready: bool
    seconds: float = Field(description="all stages together")
    stages: tuple[StageState, ...]


class CityState(FrozenModel):
    """The city at this moment."""

    version: str
    mode: str
    data_folder: str
    started_at: datetime
    uptime_seconds: float
    boot: BootState
    services: int
    roles: int
    agents: int
    apis: int
    realms: tuple[str, ...]


class CityManager(Protocol):
    """Knows the state of the city."""

    async def get_city_state(self) -> CityState: ...

    async def get_boot(self) -> BootState: ...

"""The state of the city: what it is, how it booted, and how much of everything there is."""

from importlib.metadata import PackageNotFoundError, version

from foundations.boot import BootReport
from foundations.curator.entries import Kind
from foundations.curator.registry import Registry
from foundations.declarations import service, soa_api
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.settings import Settings
from smart_city.city_manager.api import BootState, CityManager, CityState, StageState
from utilities.clock import Clock


@service
class CityManagerService(CityManager):
    """Knows the state of the city."""

    def __init__(
        self,
        *,
        report: BootReport,
        settings: Settings,
        folder: DataFolder,
        registry: Registry,
        clock: Clock,
    ) -> None:
        self._report = report
        self._settings = settings
        self._folder = folder
        self._registry = registry
        self._clock = clock
        self._started_at = clock.now()

    @soa_api(public=True)
    async def get_city_state(self) -> CityState:
        """Version, mode, data folder, uptime, the boot, and how much of everything there is."""
        entries = self._registry.entries()
        realms = {e.room.realm for e in entries if e.kind in (Kind.SERVICE, Kind.AGENT)}
        return CityState(
            version=_version(),
            mode=self._settings.cloud_ready_mode.value,
            data_folder=str(self._folder.path),
            started_at=self._started_at,
            uptime_seconds=(self._clock.now() - self._started_at).total_seconds(),
            boot=self._boot(),
            services=len(entries),
            roles=sum(entry.room.package.startswith("smart_city.") for entry in entries),
            agents=sum(entry.kind is Kind.AGENT for entry in entries),
            apis=sum(len(entry.apis) for entry in entries),
            realms=tuple(sorted(realms)),
        )

    @soa_api(public=True)
    async def get_boot(self) -> BootState:
        """The stages of the last boot, in order, with the time each took."""
        return self._boot()

    def _boot(self) -> BootState:
        stages = tuple(
            StageState(name=stage.name, status=stage.status, seconds=round(stage.seconds, 4))
            for stage in self._report.stages
        )
        return BootState(
            ready=self._report.ready,
            seconds=round(sum(stage.seconds for stage in stages), 4),
            stages=stages,
        )


def _version() -> str:
    try:
        return version("civitas")
    except PackageNotFoundError:
        return "source"  # run from a checkout that was never installed

"""The roof: what the city is made of, in which order it boots, and how it is started."""

import sys
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from foundations.boot import Boot, BootReport, Duty, Stage, Works

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from foundations.public_works.settings import Settings

STAGES = (
    Stage("public_works", "foundations.public_works.stage"),
    Stage("curator", "foundations.curator.stage"),
    Stage("agentic", "foundations.agentic.stage"),
    Stage("experience", "foundations.experience.stage"),
    Stage("smart_city", "smart_city.stage"),
    Stage("realms", "realms.stage"),
)
"""The order in which the city boots; it is left in reverse."""


class Platform:
    """The city: enter it to boot, leave it to stop; `registry` and `di_container` find all.

    A city that is not `working` answers, and leaves what waits to be done where it is. Where there
    are workers, it does of the work what its `duty` is, and only accepts it unless told otherwise.
    """

    def __init__(
        self, settings: "Settings", *, working: bool = True, duty: Duty | None = None
    ) -> None:
        from foundations.curator.registry import Registry
        from foundations.di_container import DIContainer
        from foundations.public_works.cloud_ready import on_workers
        from utilities.clock import SystemClock
        from utilities.ids import TimeSortableIds
        from utilities.observability.distributed_tracing import DistributedTracing

        self.settings = settings
        self.registry: Registry = Registry()
        self.di_container: DIContainer = DIContainer(registry=self.registry)
        report = BootReport()
        self._duty = duty or (Duty.ACCEPT if on_workers(settings) else Duty.ALL)
        given = (settings, report, SystemClock(), TimeSortableIds(), DistributedTracing())
        for instance in (*given, self._duty, self.di_container):
            self.registry.add(instance)
        self._working = working
        self._boot = Boot(STAGES, self.registry, report)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._boot.run(stack)
            for _, worker in self.registry.implementations(Works) if self._working else ():
                if self._duty in worker.duties:
                    await stack.enter_async_context(worker.working())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def asgi(self) -> "ASGIApp":
        """The web application of the running city."""
        from foundations.experience.application import Application

        return self.registry.get(Application).asgi


def create_app() -> "ASGIApp":
    """The web application that boots in its lifespan: `uvicorn --factory main:create_app`."""
    from foundations.experience.lifespan import CityApplication
    from foundations.public_works.settings import Settings

    return CityApplication(lambda: Platform(Settings.load()))


def __getattr__(name: str) -> object:
    """`celery_app`, for `celery -A main.celery_app worker`; made when it is asked for."""
    if name != "celery_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from foundations.experience.working import celery_app

    return celery_app(Platform)


def run() -> None:
    """The command line, `civitas` or `python main.py`."""
    from utilities.long_lived import collect_rarely

    collect_rarely()
    from foundations.experience.command_line import main

    sys.exit(main(Platform))


if __name__ == "__main__":
    run()

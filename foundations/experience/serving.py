"""Serves a city over HTTP until a signal ends it, and lets work in progress finish first."""

import asyncio
import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from loguru import logger

from foundations.experience.cities import City, CityFactory, settled_holder
from foundations.experience.patient_protocol import PatientProtocol
from foundations.experience.watchdog import watched
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.findings import Level
from foundations.public_works.machine import host_finding
from foundations.public_works.settings import Settings
from utilities.errors import ErrorKind, PlatformError
from utilities.long_lived import calm_collector


class HostRefused(PlatformError):
    """Without an access token the city serves this machine only."""

    kind = ErrorKind.REFUSED


class AddressUnusable(PlatformError):
    """The address cannot be served."""

    kind = ErrorKind.UNAVAILABLE


async def serve(platform: CityFactory, settings: Settings, ready: Callable[[str], None]) -> int:
    """Boot the city and serve it; `ready` is told the URL as soon as requests are answered.

    SIGTERM and SIGINT stop accepting, give requests and milestones in progress `drain_seconds`, and
    leave the city in reverse; a second signal waits for nothing. The answer is the exit code.

    Raises:
        HostRefused: the host is not a loopback address, and there is no access token.
        DataFolderInUse: another process holds the data folder; a command that is about to end is
            waited for.
        AddressUnusable: the port is taken, or the address is not of this machine.
        PlatformError: the city does not boot.
    """
    _refuse_others(settings)
    if (holder := await settled_holder(settings.data_dir)) is not None:
        raise holder
    with _bound(settings) as listener, _Stop() as stop:
        url = _url(listener)
        try:
            async with platform(settings) as city:
                calm_collector()
                server = _CityServer(_config(city, settings), lambda: _announce(city, url, ready))
                stop.then(server)
                with watched(settings.stall_seconds):
                    await server.serve(sockets=[listener])
        except asyncio.CancelledError:
            if stop.signal is None:
                raise
    return 128 + signal.SIGINT if stop.signal == signal.SIGINT else 0


class _CityServer(uvicorn.Server):
    """A server that leaves signals to the city and says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


class _Stop:
    """Turns signals into an orderly stop: of the boot while it lasts, then of the server."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._server: uvicorn.Server | None = None
        self._booting = asyncio.current_task()

    def __enter__(self) -> "_Stop":
        for wanted in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(wanted, self._ask, wanted)
        return self

    def __exit__(self, *_error: object) -> None:
        for wanted in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(wanted)

    def then(self, server: uvicorn.Server) -> None:
        """From now on stop `server`; the boot is over."""
        self._server = server

    def _ask(self, wanted: int) -> None:
        again, self.signal = self.signal is not None, self.signal or wanted
        if self._server is not None:
            self._server.should_exit = True
            self._server.force_exit = again
        elif self._booting is not None:
            self._booting.cancel()
        logger.info("asked to stop by {}", signal.Signals(wanted).name)


def _config(city: City, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        city.asgi,
        http=PatientProtocol,
        lifespan="off",
        reset_contextvars=True,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
    )


def _announce(city: City, url: str, ready: Callable[[str], None]) -> None:
    city.registry.get(DataFolder).announce(url)
    logger.info("serving at {}", url)
    ready(url)


def _refuse_others(settings: Settings) -> None:
    found = host_finding(settings)
    if found.level is Level.FAULT:
        raise HostRefused(found.detail, hint=f"serve 127.0.0.1, or {found.remedy}")


@contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    """A socket that holds the port; it takes connections only when the server starts."""
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, settings.port))
        except OSError as error:
            raise AddressUnusable(
                f"cannot serve {settings.host} port {settings.port}: {error.strerror}",
                hint="choose another port with --port (0 takes a free one)",
            ) from error
        yield listener


def _url(listener: socket.socket) -> str:
    """Where this machine reaches it: who listens on all addresses is reached by loopback too."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - replaced, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

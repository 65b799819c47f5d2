"""One way for commands to ask a city, whether it is in this process or behind a server."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx2
from pydantic import SecretStr

from foundations.curator.catalogue import Catalogue
from foundations.curator.registry import Registry
from foundations.experience.cities import PATIENCE, CityFactory, settled_holder
from foundations.experience.need import Need
from foundations.experience.road import CityRequest, InsideRequest, RoadSocket
from foundations.public_works.cloud_ready import chosen
from foundations.public_works.data_folder import DataFolder
from foundations.public_works.settings import Settings
from foundations.public_works.threads import in_thread
from utilities.errors import ErrorKind, PlatformError
from utilities.remote_faults import fault_of
from utilities.suggest import did_you_mean

Json = dict[str, Any]


class CityUnreachable(PlatformError):
    """The server that holds the data folder does not answer."""

    kind = ErrorKind.UNAVAILABLE


class NoSuchApi(PlatformError):
    """The city offers no such call."""

    kind = ErrorKind.NOT_FOUND


class CityClient(Protocol):
    """Asks a city: the same calls, the same answers and the same errors wherever it runs."""

    async def call(
        self, service: str, api: str, arguments: Mapping[str, object], *, trace_id: str = ""
    ) -> Json:
        """The result of a public API.

        Raises:
            PlatformError: what the city raised, by `kind`, `code`, `detail` and `hint`.
        """
        ...

    async def upload(self, path: Path, name: str, *, trace_id: str = "") -> Json:
        """Hand over a file under `name`; the record the content steward keeps of it."""
        ...


class InProcessClient(CityClient):
    """Asks the city that was booted in this process, by the same road as everyone."""

    def __init__(self, registry: Registry) -> None:
        self._road = registry.get(RoadSocket)
        self._catalogue = registry.get(Catalogue)
        self._folder = registry.get(DataFolder)

    async def call(
        self, service: str, api: str, arguments: Mapping[str, object], *, trace_id: str = ""
    ) -> Json:
        offered = {(one.service, one.name): one.path for one in self._catalogue.offered()}
        _path_of(service, api, offered)
        request = CityRequest(service=service, api=api, arguments=dict(arguments))
        return (await self._road.route_request(request, trace_id or None)).result

    async def upload(self, path: Path, name: str, *, trace_id: str = "") -> Json:
        spool = self._folder.spool()
        try:
            await in_thread(shutil.copyfile, path, spool)
            request = InsideRequest(
                service="ContentStewardService",
                api="register_upload",
                arguments={"spool": spool.name, "name": name},
            )
            return (await self._road.route_request(request, trace_id or None)).result
        finally:
            spool.unlink(missing_ok=True)


class HttpClient(CityClient):
    """Asks a running server. Enter it to connect."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._offered: dict[tuple[str, str], str] = {}

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, *, token: SecretStr | None = None
    ) -> AsyncIterator["HttpClient"]:
        """A client of the server at `url`. Calls may take as long as they take."""
        patience = httpx2.Timeout(None, connect=5.0)
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        async with httpx2.AsyncClient(
            base_url=url, timeout=patience, headers=headers, trust_env=False
        ) as http:
            yield cls(http)

    async def call(
        self, service: str, api: str, arguments: Mapping[str, object], *, trace_id: str = ""
    ) -> Json:
        if not self._offered:
            told = (await self._send("GET", "/api/curator/apis"))["result"]["apis"]
            self._offered = {(a["service"], a["name"]): a["path"] for a in told if a["public"]}
        path = _path_of(service, api, self._offered)
        answer = await self._send("POST", path, json=dict(arguments), headers=_traced(trace_id))
        result: Json = answer["result"]
        return result

    async def upload(self, path: Path, name: str, *, trace_id: str = "") -> Json:
        with path.open("rb") as content:
            files = {"file": (name, content, "application/octet-stream")}
            answer = await self._send("POST", "/api/files", files=files, headers=_traced(trace_id))
        record: Json = answer["result"]
        return record

    async def _send(self, method: str, path: str, **request: Any) -> Json:
        try:
            response = await self._http.request(method, path, **request)
        except httpx2.TransportError as error:
            raise CityUnreachable(
                f"the server at {self._http.base_url} does not answer: {type(error).__name__}",
                hint="see `civitas city status`, or the log in the data folder",
            ) from error
        if response.is_error:
            raise _fault(response)
        answer: Json = response.json()
        return answer


@asynccontextmanager
async def connect(
    factory: CityFactory,
    settings: Settings,
    *,
    need: Need = Need.WORKING,
    patience: float = PATIENCE,
) -> AsyncIterator[CityClient]:
    """The city of a data folder: the server that holds it, else one booted here for the block.

    What the city is needed for says how one booted here stands: see `Need`.

    Raises:
        DataFolderInUse: another process holds the folder and serves nothing for `patience` seconds.
    """
    if need is Need.READING and is_no_city(settings):
        need = Need.NOTHING  # looking must not begin one
    holder = await settled_holder(
        settings.data_dir, patience=0 if need is Need.NOTHING else patience
    )
    if holder is not None and holder.url:
        async with HttpClient.connected(holder.url, token=settings.access_token) as client:
            yield client
    elif need is Need.NOTHING:
        with tempfile.TemporaryDirectory(prefix="civitas-") as empty:
            async with factory(settings.embedded(Path(empty)), working=False) as city:
                yield InProcessClient(city.registry)
    elif holder is None:
        async with factory(settings, working=need is Need.WORKING) as city:
            yield InProcessClient(city.registry)
    else:
        raise holder


def is_no_city(settings: Settings) -> bool:
    """Whether nothing is kept where the settings say."""
    return not settings.data_dir.exists() and not chosen(settings).far


def _path_of(service: str, api: str, offered: Mapping[tuple[str, str], str]) -> str:
    if (path := offered.get((service, api))) is not None:
        return path
    near = did_you_mean(f"{service}.{api}", [".".join(names) for names in offered])
    raise NoSuchApi(f"{service}.{api} is not offered", hint=near or "GET /api/curator/apis")


def _traced(trace_id: str) -> dict[str, str]:
    return {"X-Trace-ID": trace_id} if trace_id else {}


def _fault(response: httpx2.Response) -> PlatformError:
    """The error that a problem document (RFC 9457) stands for."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": f"the server answered {response.status_code}"}
    return fault_of(problem)

"""Which infrastructure the settings choose, and all that is missing or unfit for it.

Pure: it reads settings and nothing else. What only the servers themselves can tell is probed by
`examining.py`; the container builds what was chosen here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import SecretStr

from foundations.public_works.addresses import Address
from foundations.public_works.findings import Finding, fault, warning
from foundations.public_works.settings import CloudReadyMode, Settings
from foundations.public_works.weak_secrets import is_default_password


class Component(StrEnum):
    """What each of the flags is for."""

    STORE = "store"
    JOURNEYS = "journeys"
    FILES = "files"
    EVENTS = "events"


class Taken(StrEnum):
    """What a component can stand on."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    IN_PROCESS = "in_process"
    CELERY = "celery"
    LOCAL_FOLDER = "local_folder"
    OBJECT_STORE = "object_store"
    LOCAL_EVENTS = "local_events"
    POSTGRESQL_EVENTS = "postgresql_events"
    REDIS_EVENTS = "redis_events"


_LEFT = {
    Component.STORE: Taken.SQLITE,
    Component.JOURNEYS: Taken.IN_PROCESS,
    Component.FILES: Taken.LOCAL_FOLDER,
    Component.EVENTS: Taken.LOCAL_EVENTS,
}
_POSTGRESQL = {"postgresql", "postgres"}
_REDIS = {"redis", "rediss"}
_BROKERS = {"amqp", "amqps", *_REDIS}
_DATABASE_URL = "set CIVITAS_DATABASE_URL=postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_BROKER_URL = "set CIVITAS_BROKER_URL=amqp://USER:PASSWORD@HOST:5672/VHOST, or redis://..."
_REDIS_URL = "set CIVITAS_REDIS_URL=redis://:PASSWORD@HOST:6379/0"
_FILES_URL = "set CIVITAS_FILES_URL=s3://BUCKET/PREFIX, and CIVITAS_FILES_ENDPOINT unless it is AWS"


@dataclass(frozen=True, slots=True)
class Taking:
    """What one component stands on, why, and where that is, without a secret."""

    component: Component
    taken: Taken
    because: str
    at: str = ""
    can_be_asked: bool = False
    """Whether the settings name a server of the right kind."""

    @property
    def cloud_ready(self) -> bool:
        """Whether it is the right column's."""
        return self.taken is not _LEFT[self.component]


@dataclass(frozen=True, slots=True)
class Choice:
    """What each component stands on, and what speaks against it."""

    mode: CloudReadyMode
    store: Taking
    journeys: Taking
    files: Taking
    events: Taking
    findings: tuple[Finding, ...]

    @property
    def components(self) -> tuple[Taking, ...]:
        return (self.store, self.journeys, self.files, self.events)

    @property
    def far(self) -> bool:
        """Whether records are kept elsewhere than in the data folder."""
        return self.store.cloud_ready

    def told(self) -> str:
        """One line for the log of the boot."""
        return ", ".join(f"{t.component} {t.taken} ({t.because})" for t in self.components)


def chosen(settings: Settings) -> Choice:
    """What the settings choose; its findings name every fault at once."""
    wish = _Wishes(settings)
    store = _store(wish, settings)
    journeys = _journeys(wish, settings)
    files = _files(wish, settings)
    events = _events(wish, settings, store)
    choice = Choice(settings.cloud_ready_mode, store, journeys, files, events, ())
    findings = [
        *wish.contradictions(),
        *_missing_or_unfit(choice, settings),
        *_impossible_together(choice, settings),
    ]
    return Choice(settings.cloud_ready_mode, store, journeys, files, events, tuple(findings))


def on_workers(settings: Settings) -> bool:
    """Whether journeys are done by workers, and by this process only if it is one."""
    return chosen(settings).journeys.taken is Taken.CELERY


class _Wishes:
    """Which column each component is wanted from, and which setting says so."""

    def __init__(self, settings: Settings) -> None:
        self._mode = settings.cloud_ready_mode
        self._flags = {part: getattr(settings, f"cloud_ready_{part}") for part in Component}

    def cloud(self, component: Component, *, named_by: str = "") -> tuple[bool, str]:
        """Whether the right column is wanted, and why; `named_by` is a setting that says so."""
        flag = self._flags[component]
        if self._mode is not CloudReadyMode.HYBRID:
            return self._mode is CloudReadyMode.ENABLED, f"CLOUD_READY_MODE={self._mode}"
        if flag is not None:
            return flag, f"{_flag_name(component)}={_word(on=flag)}"
        return (True, named_by) if named_by else (False, "nothing says otherwise")

    def contradictions(self) -> Iterator[Finding]:
        """Flags that say the opposite of the mode: one of the two is a mistake."""
        if self._mode is CloudReadyMode.HYBRID:
            return
        everywhere = self._mode is CloudReadyMode.ENABLED
        for component, flag in self._flags.items():
            if flag is not None and flag is not everywhere:
                yield fault(
                    component,
                    f"{_flag_name(component)}={_word(on=flag)} contradicts "
                    f"CLOUD_READY_MODE={self._mode}",
                    "set CLOUD_READY_MODE=hybrid, or unset the flag",
                )


def _store(wish: _Wishes, settings: Settings) -> Taking:
    address = _address(settings.database_url)
    named = "CIVITAS_DATABASE_URL is set" if _is_postgresql(address) else ""
    cloud, because = wish.cloud(Component.STORE, named_by=named)
    if cloud:
        return _at(Component.STORE, Taken.POSTGRESQL, because, address, _POSTGRESQL)
    return Taking(Component.STORE, Taken.SQLITE, because)


def _journeys(wish: _Wishes, settings: Settings) -> Taking:
    named = "CIVITAS_BROKER_URL is set" if settings.broker_url else ""
    cloud, because = wish.cloud(Component.JOURNEYS, named_by=named)
    if cloud:
        address = _address(settings.broker_url)
        return _at(Component.JOURNEYS, Taken.CELERY, because, address, _BROKERS)
    return Taking(Component.JOURNEYS, Taken.IN_PROCESS, because)


def _files(wish: _Wishes, settings: Settings) -> Taking:
    named = "CIVITAS_FILES_URL is set" if settings.files_url else ""
    cloud, because = wish.cloud(Component.FILES, named_by=named)
    if not cloud:
        return Taking(Component.FILES, Taken.LOCAL_FOLDER, because)
    bucket, endpoint = _parsed(settings.files_url), _parsed(settings.files_endpoint)
    taking = _at(Component.FILES, Taken.OBJECT_STORE, because, bucket, {"s3"})
    return replace(taking, at=f"{taking.at} at {endpoint.shown}") if endpoint else taking


def _events(wish: _Wishes, settings: Settings, store: Taking) -> Taking:
    """Events follow the store: over PostgreSQL several processes may be one city."""
    redis = settings.redis_url is not None
    named = "CIVITAS_REDIS_URL is set" if redis else ""
    if not named and store.cloud_ready:
        named = "the store is PostgreSQL"
    cloud, because = wish.cloud(Component.EVENTS, named_by=named)
    if not cloud:
        return Taking(Component.EVENTS, Taken.LOCAL_EVENTS, because)
    if redis:
        address = _address(settings.redis_url)
        return _at(Component.EVENTS, Taken.REDIS_EVENTS, because, address, _REDIS)
    return Taking(Component.EVENTS, Taken.POSTGRESQL_EVENTS, because, store.at)


def _missing_or_unfit(choice: Choice, settings: Settings) -> Iterator[Finding]:
    yield from _database(choice, settings)
    if choice.journeys.cloud_ready:
        yield from _server(
            Component.JOURNEYS, "CIVITAS_BROKER_URL", settings.broker_url,
            schemes=_BROKERS, remedy=_BROKER_URL,
        )  # fmt: skip
    if choice.files.cloud_ready:
        yield from _bucket(settings)
    if choice.events.taken is Taken.REDIS_EVENTS:
        yield from _server(
            Component.EVENTS, "CIVITAS_REDIS_URL", settings.redis_url,
            schemes=_REDIS, remedy=_REDIS_URL,
        )  # fmt: skip
    elif choice.events.cloud_ready and not choice.store.cloud_ready:
        yield fault(
            Component.EVENTS,
            "there is neither a Redis nor a PostgreSQL to carry events",
            f"{_REDIS_URL}, or {_DATABASE_URL}",
        )


def _database(choice: Choice, settings: Settings) -> Iterator[Finding]:
    address = _address(settings.database_url)
    if choice.store.cloud_ready:
        yield from _server(
            Component.STORE, "CIVITAS_DATABASE_URL", settings.database_url,
            schemes=_POSTGRESQL, remedy=_DATABASE_URL,
        )  # fmt: skip
        if _is_postgresql(address) and address is not None and not address.path:
            yield fault(Component.STORE, "CIVITAS_DATABASE_URL names no database", _DATABASE_URL)
    elif (
        choice.mode is CloudReadyMode.HYBRID
        and settings.database_url
        and not _is_postgresql(address)
    ):
        yield fault(
            Component.STORE,
            "CIVITAS_DATABASE_URL names no PostgreSQL, and SQLite is always in the data folder",
            f"unset it, or {_DATABASE_URL}",
        )


def _server(
    component: Component, name: str, url: SecretStr | None, *, schemes: set[str], remedy: str
) -> Iterator[Finding]:
    """What is wrong with the URL of a server."""
    if not url:
        yield fault(component, f"{name} is not set", remedy)
        return
    address = _address(url)
    if address is None:
        yield fault(component, f"{name} is no URL", remedy)
    elif address.scheme == "sqlite":
        yield fault(component, f"{name} names SQLite, which serves one machine only", remedy)
    elif address.scheme not in schemes:
        told = f"{name} names {address.scheme or 'nothing'}, which the city cannot use"
        yield fault(component, told, remedy)
    elif not address.local and (address.guessable or _is_guest(address)):
        yield fault(
            component,
            f"{name} has a default password, on a host that others reach",
            f"give the user of {address.shown} a password of its own, and set it in {name}",
        )


def _bucket(settings: Settings) -> Iterator[Finding]:
    """What is wrong with the settings of the store for files."""
    bucket, endpoint = _parsed(settings.files_url), _parsed(settings.files_endpoint)
    about = Component.FILES
    if not settings.files_url:
        yield fault(about, "CIVITAS_FILES_URL is not set", _FILES_URL)
    elif bucket is None or bucket.scheme != "s3" or not bucket.hosts[0]:
        yield fault(about, "CIVITAS_FILES_URL names no bucket of an S3 store", _FILES_URL)
    elif bucket.has_user or (endpoint is not None and endpoint.has_user):
        yield fault(
            about,
            "keys stand in a URL",
            "set CIVITAS_FILES_ACCESS_KEY and CIVITAS_FILES_SECRET_KEY instead",
        )
    if settings.files_endpoint and (
        endpoint is None or endpoint.scheme not in {"http", "https"} or not endpoint.hosts[0]
    ):
        yield fault(
            about,
            "CIVITAS_FILES_ENDPOINT is no address",
            "set it as https://HOST:PORT, without bucket and password",
        )
        return
    access, secret = settings.files_access_key, settings.files_secret_key
    if (access is None) != (secret is None):
        unset = "ACCESS_KEY" if access is None else "SECRET_KEY"
        yield fault(
            about,
            f"CIVITAS_FILES_{unset} is not set, though its companion is",
            "set both, or neither to take what AWS gives the machine",
        )
    far = endpoint is not None and not endpoint.local
    if far and access and secret and _is_default(access, secret):
        yield fault(
            about,
            "the secret key is a default one, on a host that others reach",
            "make a key of its own for the city, and set CIVITAS_FILES_ACCESS_KEY and _SECRET_KEY",
        )
    if far and endpoint is not None and endpoint.scheme == "http":
        yield warning(
            about,
            "files travel unencrypted to another host",
            "serve it over TLS and set CIVITAS_FILES_ENDPOINT=https://...",
        )


def _impossible_together(choice: Choice, settings: Settings) -> Iterator[Finding]:
    """What each by itself would do, and what together cannot work."""
    if not choice.journeys.cloud_ready:
        return
    if not choice.store.cloud_ready:
        yield fault(
            Component.JOURNEYS,
            "Celery workers cannot share SQLite",
            f"{_DATABASE_URL}, or set CLOUD_READY_JOURNEYS=disabled",
        )
    addresses = [_address(settings.broker_url), _address(settings.database_url)]
    apart = any(address is not None and not address.local for address in addresses)
    if apart and not choice.files.cloud_ready and not settings.files_shared:
        yield fault(
            Component.FILES,
            "workers on other hosts would not find the files of this one",
            f"{_FILES_URL}, keep broker and database on this host, or set "
            "CIVITAS_FILES_SHARED=true if all processes see one data folder",
        )
    if choice.store.cloud_ready and not choice.events.cloud_ready:
        yield fault(
            Component.EVENTS,
            "nobody would hear the events of workers in other processes",
            "unset CLOUD_READY_EVENTS, or set it to enabled",
        )


def _parsed(url: str) -> Address | None:
    try:
        return Address.parsed(url) if url else None
    except ValueError:
        return None


def _address(url: SecretStr | None) -> Address | None:
    return _parsed(url.get_secret_value()) if url else None


def _at(
    component: Component, taken: Taken, because: str, address: Address | None, schemes: set[str]
) -> Taking:
    """The right column's, where the settings say that it is."""
    if address is None:
        return Taking(component, taken, because)
    askable = address.scheme in schemes
    return Taking(component, taken, because, address.shown, can_be_asked=askable)


def _is_postgresql(address: Address | None) -> bool:
    return address is not None and address.scheme in _POSTGRESQL


def _is_guest(address: Address) -> bool:
    """Without a user RabbitMQ is asked as `guest` with the password `guest`."""
    return address.scheme in {"amqp", "amqps"} and not address.has_user


def _is_default(access: SecretStr, secret: SecretStr) -> bool:
    return is_default_password(access.get_secret_value(), secret.get_secret_value())


def _flag_name(component: Component) -> str:
    return f"CLOUD_READY_{component.name}"


def _word(*, on: bool) -> str:
    return "enabled" if on else "disabled"

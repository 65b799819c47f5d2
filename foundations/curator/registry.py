"""The registry: every class of the city by type and by name, and what fills its dependencies."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from fnmatch import fnmatchcase
from typing import Any, TypeVar, cast

from dependency_injector import providers

from foundations.boot import Book
from foundations.curator.apis import Api
from foundations.curator.entries import Entry, Kind, describe
from foundations.curator.verification import BootCheck, Fault, FaultKind, RegistrationRefused
from foundations.declarations import ServiceDeclaration
from foundations.rooms import Room
from foundations.wiring import constructor_needs
from utilities.errors import ErrorKind, PlatformError
from utilities.names import snake_case
from utilities.suggest import did_you_mean

T = TypeVar("T")


class NotRegistered(PlatformError):
    """Nothing of this name is registered."""

    kind = ErrorKind.NOT_FOUND


class RegistrySealed(PlatformError):
    """The registry takes no more containers."""

    kind = ErrorKind.CONFLICT


class Registry(Book):
    """Filled by the stages while the city boots, read by everything afterwards."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._by_provider: dict[int, Entry] = {}
        self._names: dict[str, Entry] = {}
        self._snake: dict[tuple[str, str], Entry] = {}
        self._faults: list[Fault] = []
        self._built: set[int] = set()
        self._opened: set[int] = set()
        self._sealed = False
        self.add(self)

    # joining

    def add(self, instance: object) -> None:
        """Offer a finished object by its type, as a part; whoever made it opens and closes it."""
        room = Room(type(instance).__module__, "")
        provider = providers.Object(instance)
        entry = Entry(type(instance).__name__, type(instance), room, Kind.PART, provider)
        self._enter(entry)
        self._opened.add(id(entry))

    def enrol(self, container: Any, room: Room) -> list[Entry]:
        """Take in every class of a room's container; faults are kept for `faults()`.

        Raises:
            RegistrySealed: the city has booted.
        """
        if self._sealed:
            raise RegistrySealed(
                f"{room.package} comes too late",
                hint="after boot, add single services with register_service()",
            )
        entries = []
        for provider in container.providers.values():
            if isinstance(provider, providers.Singleton):
                entry, faults = describe(provider.cls, provider, room)
                self._faults += faults
                self._enter(entry)
                entries.append(entry)
        return entries

    def register(
        self, instance: object, room: Room, declaration: ServiceDeclaration | None = None
    ) -> Entry:
        """Add one finished service, at any time, after the same checks as at boot.

        Raises:
            RegistrationRefused: it breaks a rule, or its name is taken.
        """
        cls = type(instance)
        entry, found = describe(cls, providers.Object(instance), room, declaration=declaration)
        if entry.service is None:
            found.append(_undeclared(cls))
        if entry.name in self._names:
            found.append(_duplicate(entry, self._names[entry.name]))
        other = self._snake.get((room.realm, snake_case(entry.name)))
        if other is not None and other.name != entry.name:
            found.append(_same_path(entry, other))
        if found:
            raise RegistrationRefused(found)
        self._enter(entry)
        return entry

    def prepare(self) -> None:
        waiting = [entry for entry in self._singletons() if id(entry) not in self._built]
        for entry in waiting:
            for parameter, source in _sources(entry).items():
                if isinstance(source, providers.Dependency) and not source.is_defined:
                    self._fill(entry, parameter, source)
        for entry in waiting:
            self._build(entry)

    async def open(self, stack: AsyncExitStack) -> None:
        for entry in self._singletons():
            await self._open(entry, stack)

    def seal(self) -> None:
        """Close the registry for containers."""
        self._sealed = True

    # asking

    def get(self, wanted: type[T]) -> T:
        """The one instance of a type or protocol.

        Raises:
            NotRegistered: none, or more than one, implements it.
        """
        found = self._implementations(wanted)
        if len(found) != 1:
            listed = ", ".join(entry.name for entry in found)
            names = [entry.cls.__name__ for entry in self._entries]
            raise NotRegistered(
                f"{len(found)} registered classes are a {wanted.__name__} {listed}".strip(),
                hint=did_you_mean(wanted.__name__, names)
                or "list its class in a container's wire()",
            )
        return cast("T", found[0].provider())

    def named(self, name: str) -> object:
        """The service with this class name."""
        return self.entry(name).provider()

    def entry(self, name: str) -> Entry:
        """The entry of a public name.

        Raises:
            NotRegistered: no service has this name.
        """
        if name not in self._names:
            raise NotRegistered(
                f'no service is called "{name}"',
                hint=did_you_mean(name, self._names) or "see `civitas city status` for all names",
            )
        return self._names[name]

    def api(self, service: str, api: str) -> Api:
        """One API of one service.

        Raises:
            NotRegistered: the service or the API does not exist.
        """
        try:
            return self._names[service].apis[api]
        except KeyError:
            apis = self.entry(service).apis
        raise NotRegistered(
            f'{service} has no API "{api}"',
            hint=did_you_mean(api, apis) or f"it has {', '.join(apis) or 'none'}",
        )

    def api_at(self, realm: str, service: str, api: str) -> Api:
        """The API served at `/api/{realm}/{service}/{api}`.

        Raises:
            NotRegistered: nothing is there.
        """
        entry = self._snake.get((realm, service))
        if entry is not None:
            return self.api(entry.name, api)
        near = did_you_mean(f"{realm}/{service}", [f"{r}/{s}" for r, s in self._snake])
        raise NotRegistered(
            f"no service is served at {realm}/{service}",
            hint=near or "GET /api/curator/apis lists all",
        )

    def entries(self, pattern: str = "*") -> list[Entry]:
        """The listed services whose names match a pattern such as `*Steward*`, by name."""
        return [self._names[name] for name in sorted(self._names) if fnmatchcase(name, pattern)]

    def parts(self) -> list[Entry]:
        """Every entry, parts included, in the order of joining."""
        return list(self._entries)

    def implementations(self, wanted: type[T]) -> Iterator[tuple[Entry, T]]:
        """Every built instance of a type or protocol, in the order of joining."""
        for entry in self._implementations(wanted):
            if self._broken_by(entry) is None:
                yield entry, cast("T", entry.provider())

    def dependencies(self, entry: Entry) -> list[Entry]:
        """What an entry was built from."""
        sources = (id(_behind(source)) for source in _sources(entry).values())
        return [self._by_provider[source] for source in sources if source in self._by_provider]

    def faults(self) -> list[Fault]:
        """All faults found so far, those of services' own boot checks last."""
        own = [fault for _, check in self.implementations(BootCheck) for fault in check.verify()]
        return [*self._faults, *own]

    def report(self, fault: Fault) -> None:
        """Add a fault that somebody else found while booting."""
        self._faults.append(fault)

    # inside

    def _enter(self, entry: Entry) -> None:
        if entry.listed and entry.name in self._names:
            self._faults.append(_duplicate(entry, self._names[entry.name]))
            return
        path = (entry.room.realm, snake_case(entry.name))
        if entry.listed and path in self._snake:
            self._faults.append(_same_path(entry, self._snake[path]))
            return
        self._entries.append(entry)
        self._by_provider[id(entry.provider)] = entry
        if entry.listed:
            self._names[entry.name] = entry
            self._snake[path] = entry

    def _singletons(self) -> Iterator[Entry]:
        return (e for e in self._entries if isinstance(e.provider, providers.Singleton))

    def _implementations(self, wanted: type) -> list[Entry]:
        return [entry for entry in self._entries if wanted in entry.cls.__mro__]

    async def _open(self, entry: Entry, stack: AsyncExitStack) -> None:
        """Enter what an entry was built from, then the entry itself, once."""
        if id(entry) in self._opened or self._broken_by(entry) is not None:
            return
        self._opened.add(id(entry))
        for other in self.dependencies(entry):
            await self._open(other, stack)
        instance = entry.provider()
        if isinstance(instance, AbstractAsyncContextManager):
            await stack.enter_async_context(instance)

    def _fill(self, entry: Entry, parameter: str, source: Any) -> None:
        wanted = constructor_needs(entry.cls)[parameter]
        found = self._implementations(wanted)
        if len(found) == 1:
            source.override(found[0].provider)
            return
        subject = f"{entry.name}.__init__({parameter}: {getattr(wanted, '__name__', wanted)})"
        if found:
            listed = " and ".join(other.name for other in found)
            problem, remedy = f"could be {listed}", "ask for one of them, or wire only one"
            fault = Fault(FaultKind.AMBIGUOUS, subject, problem, remedy)
        else:
            near = did_you_mean(
                getattr(wanted, "__name__", ""), [e.cls.__name__ for e in self._entries]
            )
            remedy = f"list a class that inherits from it in a container's wire(). {near}".strip()
            fault = Fault(FaultKind.UNRESOLVED, subject, "is provided by nobody", remedy)
        if fault not in self._faults:
            self._faults.append(fault)

    def _broken_by(self, entry: Entry) -> Entry | None:
        """The entry below (or this one) that keeps it from being built."""
        broken = {f.subject.split(".", 1)[0] for f in self._faults if f.kind in _BLOCKING}
        return next((e for e in self._below(entry) if e.name in broken), None) if broken else None

    def _below(self, entry: Entry) -> Iterator[Entry]:
        """An entry, and each that it was built from, directly or by others, once."""
        seen: set[int] = set()
        open_ = [entry]
        while open_:
            found = open_.pop()
            if id(found) not in seen:
                seen.add(id(found))
                yield found
                open_ += reversed(self.dependencies(found))

    def _build(self, entry: Entry) -> None:
        if self._broken_by(entry) is not None:
            return  # the cause has been reported; its consequences would only hide it
        if circle := self._circle_through(entry):
            names = " -> ".join(other.name for other in circle)
            problem = f"needs itself: {names}"
            remedy = "break the circle: let one of them look the other up when it is called"
            self._faults.append(Fault(FaultKind.CIRCULAR, entry.name, problem, remedy))
            return
        try:
            constructor_needs(entry.cls)
            entry.provider()
            self._built.add(id(entry))
        except Exception as error:  # noqa: BLE001 - any constructor may fail in any way; all are reported together
            problem = f"cannot be built: {type(error).__name__}: {error}"
            remedy = "see its constructor; it must neither fail nor do I/O"
            self._faults.append(Fault(FaultKind.UNBUILDABLE, entry.name, problem, remedy))

    def _circle_through(self, entry: Entry) -> tuple[Entry, ...]:
        """The path from an entry back to itself along its dependencies, or an empty one.

        None leads through what was built.
        """
        seen = set(self._built)
        paths: list[tuple[Entry, ...]] = [(entry,)]
        while paths:
            path = paths.pop()
            for other in reversed(self.dependencies(path[-1])):
                if other is entry:
                    return (*path, entry)
                if id(other) not in seen:
                    seen.add(id(other))
                    paths.append((*path, other))
        return ()


_BLOCKING = frozenset(
    {FaultKind.UNRESOLVED, FaultKind.AMBIGUOUS, FaultKind.CIRCULAR, FaultKind.UNBUILDABLE}
)
"""Faults that keep what they are about from being built."""


def _undeclared(cls: type) -> Fault:
    problem, remedy = "is not declared as a service", "put @service on the class, or give metadata"
    return Fault(FaultKind.BAD_NAME, cls.__name__, problem, remedy)


def _duplicate(entry: Entry, other: Entry) -> Fault:
    problem = f"of {entry.cls.__module__} is registered already, by {other.cls.__module__}"
    return Fault(FaultKind.DUPLICATE, entry.name, problem, "give one of the two another name")


def _same_path(entry: Entry, other: Entry) -> Fault:
    problem = f"would be served at the same path as {other.name}"
    return Fault(FaultKind.DUPLICATE, entry.name, problem, "give one of the two another name")


def _sources(entry: Entry) -> dict[str, Any]:
    """What the entry's provider passes to the constructor, by parameter."""
    sources: dict[str, Any] = getattr(entry.provider, "kwargs", {})
    return sources


def _behind(source: Any) -> Any:
    """The provider that a filled dependency stands for."""
    return source.last_overriding if isinstance(source, providers.Dependency) else source

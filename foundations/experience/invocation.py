"""One use of the command line: what all commands share, and how they reach the city."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from foundations.experience.need import Need
from foundations.experience.terminal import Terminal

if TYPE_CHECKING:
    from foundations.experience.cities import CityFactory
    from foundations.experience.client import CityClient
    from foundations.public_works.settings import Settings

T = TypeVar("T")

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Where the city keeps everything [.civitas]."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a command gets as its context's object: the city to boot and the terminal."""

    platform: "CityFactory"
    debug: bool = False
    terminal: Terminal = field(default_factory=Terminal)

    @classmethod
    def of(cls, context: typer.Context) -> "Invocation":
        """The invocation a command is part of."""
        invocation = context.find_object(cls)
        assert invocation is not None
        return invocation

    def settings(self, **overrides: Any) -> "Settings":
        """The settings, options given on the command line first.

        Raises:
            FaultySettings: lists every fault.
        """
        from foundations.public_works.settings import Settings

        return Settings.load(**overrides)

    def with_city(
        self,
        work: "Callable[[CityClient, Settings], Awaitable[T]]",
        *,
        data_dir: Path | None = None,
        settings: "Settings | None" = None,
        need: Need = Need.WORKING,
    ) -> T:
        """Run `work` with a client of the city: the running server's, or one booted here.

        Without `settings` they are read, with `data_dir` first.
        """
        from foundations.experience.client import connect, is_no_city
        from utilities.observability.logs import configure_logs

        wanted = settings or self.settings(data_dir=data_dir)
        configure_logs(level="DEBUG" if self.debug else "ERROR")
        named = "data_dir" in wanted.model_fields_set  # else it is a city's first day
        if need is Need.READING and named and is_no_city(wanted):
            self.terminal.note(f"there is no city at {wanted.data_dir}, and so nothing is kept")

        async def connected() -> T:
            async with connect(self.platform, wanted, need=need) as client:
                return await work(client, wanted)

        return asyncio.run(connected())

    def ask(
        self,
        service: str,
        api: str,
        arguments: Mapping[str, object] | None = None,
        *,
        data_dir: Path | None = None,
        need: Need = Need.READING,
    ) -> dict[str, Any]:
        """The result of one public API of the city."""

        async def call(client: "CityClient", _settings: "Settings") -> dict[str, Any]:
            return await client.call(service, api, arguments or {})

        return self.with_city(call, data_dir=data_dir, need=need)

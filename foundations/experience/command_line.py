"""The command line: `serve`, `new`, and the commands of every room, with honest exit codes."""

import platform as machine
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundations.curator.discovery import realms, roles
from foundations.experience.exit_codes import DONE, INTERRUPTED, exit_code
from foundations.experience.invocation import DataDir, Invocation
from foundations.experience.scaffold import app as new
from foundations.experience.terminal import clean, silence_stdout
from foundations.rooms import Room
from utilities.errors import ErrorKind, PlatformError

if TYPE_CHECKING:
    from foundations.experience.cities import CityFactory

HELP = """Civitas: files in, insights out, by journeys that survive a power cut.

Without a command the city is served at http://127.0.0.1:8000.
"""


def main(platform: "CityFactory", arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the answer is the exit code.

    0 done, 1 failed, 2 usage, 3 refused, 78 configuration, 130 interrupted. A fault is told on
    stderr in one line of cause and one of remedy; `--debug` anywhere shows the traceback instead.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug, given = _without_debug(given)
    invocation = Invocation(platform, debug=debug)
    if not debug:
        sys.excepthook = _tell_unexpected
    try:
        _refuse_windows()
        code = _run(given, invocation)
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
        return DONE
    except KeyboardInterrupt:
        invocation.terminal.note("interrupted")
        return INTERRUPTED
    except PlatformError as error:
        if debug:
            raise
        invocation.terminal.tell(error)
        return exit_code(error)
    return code


def application(wanted: str | None = None) -> typer.Typer:
    """All commands. The named app of a room is a group; the commands of an unnamed join the top.

    Where one is `wanted` that stands for long, only those that do: rooms need not bring theirs.
    """
    app = typer.Typer(add_completion=False, rich_markup_mode=None, help=HELP)
    app.callback(invoke_without_command=True)(_no_command)
    for name, command in _STANDING.items():
        app.command(name)(command)
    if wanted in _STANDING:
        return app
    app.add_typer(new)
    for module in _command_modules():
        app.add_typer(module.app)
    return app


def _run(arguments: list[str], invocation: Invocation) -> int:
    command = typer.main.get_command(application(arguments[0] if arguments else "serve"))
    try:
        with command.make_context("civitas", arguments, obj=invocation) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        invocation.terminal.note(f"error: {error.format_message()}")
        invocation.terminal.note(f"fix: see `{_path(error)} --help`")
        return error.exit_code
    return DONE


def _no_command(
    context: typer.Context,
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks, and log everything.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        _serve(context)


def _serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to serve [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one [8000].")] = None,
    data_dir: DataDir = None,
) -> None:
    """Serve the city over HTTP until Ctrl-C or SIGTERM."""
    import asyncio

    from foundations.experience.serving import serve
    from utilities.long_lived import loop_factory
    from utilities.observability.logs import configure_logs

    invocation = Invocation.of(context)
    settings = invocation.settings(host=host, port=port, data_dir=data_dir)
    configure_logs(level="DEBUG" if invocation.debug else settings.log_level)

    def ready(url: str) -> None:
        invocation.terminal.lines(_welcome(url, guarded=settings.access_token is not None))
        sys.stdout.flush()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        raise typer.Exit(runner.run(serve(invocation.platform, settings, ready)))


def _worker(
    context: typer.Context,
    queues: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Queues of templates, by comma; `default` for no name."),
    ] = "",
    data_dir: DataDir = None,
) -> None:
    """Do journeys that others accept, until Ctrl-C or SIGTERM; needs a broker."""
    from foundations.experience.working import work
    from utilities.observability.logs import configure_logs

    invocation = Invocation.of(context)
    settings = invocation.settings(data_dir=data_dir)
    configure_logs(level="DEBUG" if invocation.debug else settings.log_level)
    work(invocation.platform, settings, queues=[n.strip() for n in queues.split(",") if n.strip()])


def _scheduler(context: typer.Context, data_dir: DataDir = None) -> None:
    """Begin what is scheduled and wake what is due, until Ctrl-C or SIGTERM; needs a broker."""
    import asyncio

    from foundations.experience.working import schedule
    from utilities.long_lived import loop_factory
    from utilities.observability.logs import configure_logs

    invocation = Invocation.of(context)
    settings = invocation.settings(data_dir=data_dir)
    configure_logs(level="DEBUG" if invocation.debug else settings.log_level)

    def ready() -> None:
        invocation.terminal.lines("The scheduler is at work.\n")
        sys.stdout.flush()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        raise typer.Exit(runner.run(schedule(invocation.platform, settings, ready)))


_STANDING: Mapping[str, Callable[..., None]] = {
    "serve": _serve,
    "worker": _worker,
    "scheduler": _scheduler,
}


def _welcome(url: str, *, guarded: bool) -> str:
    token = ' -H "authorization: Bearer $CIVITAS_ACCESS_TOKEN"' if guarded else ""
    return f"""\
The city is open at {url}
  API      {url}/openapi.json
  a file   curl{token} -F file=@FILE {url}/api/files
  insights curl{token} -H 'content-type: application/json' -d '{{"file_id": "ID"}}' \
'{url}/api/solution/data-mash?wait=30s'
  stop     Ctrl-C
"""


def _command_modules() -> Iterator[ModuleType]:
    rooms, _faults = realms()  # a faulty realm is reported at boot; it must not break --help
    for room in [Room("smart_city", "smart_city"), *roles(), *rooms]:
        module = room.module("commands")
        if module is not None:
            yield module


def _without_debug(arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether `--debug` stands anywhere before a `--`, and the arguments without it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != "--debug"]
    return len(kept) < end, kept + arguments[end:]


def _path(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "civitas"


def _refuse_windows() -> None:
    if machine.system() == "Windows":
        raise _PlatformRefused(
            "Windows is not supported: parsing limits and the data folder's lock are POSIX",
            hint="run it under Linux or macOS, or in WSL",
        )


class _PlatformRefused(PlatformError):
    """The operating system lacks what the city stands on."""

    kind = ErrorKind.REFUSED


def _tell_unexpected(
    kind: type[BaseException], error: BaseException, _traceback: TracebackType | None
) -> None:
    print(f"error: {clean(f'{kind.__name__}: {error}')}", file=sys.stderr)  # noqa: T201 - the last word of the process
    print("fix: run it again with --debug and report what it shows", file=sys.stderr)  # noqa: T201 - the same

"""What the command line prints: results on stdout, everything said about them on stderr."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from utilities.errors import PlatformError

if TYPE_CHECKING:
    from rich.console import Console


class Bar(Protocol):
    """A progress bar in use."""

    def show(self, done: int, total: int, doing: str) -> None:
        """Move it to `done` of `total`, with what is being done now."""
        ...


class Terminal:
    """Prints for people and, as JSON, for programs. rich is loaded with the first table or bar."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a captured stream of a test may not have it
                stream.reconfigure(errors="replace")

    def say(self, text: str = "") -> None:
        """One line of a result."""
        print(clean(text))  # noqa: T201 - printing is what a terminal is for

    def note(self, text: str) -> None:
        """One line beside the result, on stderr."""
        print(clean(text), file=sys.stderr)  # noqa: T201 - printing is what a terminal is for

    def tell(self, error: PlatformError, *, about: str = "") -> None:
        """An error on stderr: its cause, the fields at fault if any, and its remedy."""
        first, *rest = error.detail.splitlines() or [error.title]
        self.note(f"error: {about}: {first}" if about and about not in first else f"error: {first}")
        for line in rest or [f"  {fault.pointer}: {fault.detail}" for fault in error.errors]:
            self.note(line)
        if error.hint:
            self.note(f"fix: {error.hint}")

    def lines(self, text: str) -> None:
        """Several lines of a result, each cleaned by itself."""
        for line in text.splitlines():
            self.say(line)

    def json(self, value: object) -> None:
        """A document for programs: plain ASCII, so that no locale can change it."""
        print(json.dumps(value, indent=2))  # noqa: T201 - printing is what a terminal is for

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows under headings; a narrow terminal wraps cells."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(clean(str(cell)), overflow="fold") for cell in row))
        self._out.print(table)

    @contextmanager
    def progress(self) -> Iterator[Bar]:
        """A progress bar on stderr, where that is a terminal; elsewhere nothing is shown."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
        )
        with Progress(
            *columns, console=self._err, transient=True, disable=not self._err.is_terminal
        ) as progress:
            task = progress.add_task("", total=None)
            yield _RichBar(
                lambda done, total, doing: progress.update(
                    task, completed=done, total=total, description=clean(doing)
                )
            )

    @cached_property
    def _out(self) -> "Console":
        return _console(stderr=False)

    @cached_property
    def _err(self) -> "Console":
        return _console(stderr=True)


class _RichBar(Bar):
    def __init__(self, update: Any) -> None:
        self._update = update

    def show(self, done: int, total: int, doing: str) -> None:
        self._update(done, total, doing)


def clean(text: str) -> str:
    """Text without control characters: no name of a file or journey can steer the terminal."""
    return "".join(c if c.isprintable() else "" for c in text.replace("\t", " "))


def silence_stdout() -> None:
    """Let nothing more be written to a pipe that nobody reads, at interpreter exit neither."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    class PipeableConsole(Console):
        """A closed pipe is left to the command line, which ends quietly."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    console = PipeableConsole(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 400  # nobody watches: whoever reads the lines wants ids in one piece
    return console

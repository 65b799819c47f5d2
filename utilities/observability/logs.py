"""Log lines: readable on the terminal, JSON in the data folder, each with its trace id."""

import inspect
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from utilities.context import current_or_none

if TYPE_CHECKING:
    from loguru import Record

_TERMINAL = (
    "<green>{time:HH:mm:ss}</green> <level>{level: <7}</level> "
    "<dim>{extra[trace_id]}</dim> {extra[shown]}\n{extra[traceback]}"
)


def configure_logs(*, level: str) -> None:
    """Send readable log lines to stderr; the standard library's loggers take the same way."""
    logger.remove()
    logger.configure(patcher=_patch)
    logger.add(sys.stderr, level=level, format=lambda _: _TERMINAL)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)


@contextmanager
def add_log_file(file: Path, *, level: str) -> Iterator[None]:
    """Write log lines to `file` while the block lasts: a JSON object each, 10 MB a file, 5 kept."""
    logger.configure(patcher=_patch)
    sink = logger.add(
        file,
        level="DEBUG" if level == "DEBUG" else "INFO",
        format=lambda _: "{extra[json]}\n",  # a text would have the traceback after it
        rotation="10 MB",
        retention=5,
    )
    try:
        yield
    finally:
        logger.remove(sink)


@contextmanager
def redacted_log(tell: Callable[[str], str]) -> Iterator[None]:
    """While the block lasts a line says of its message, facts and exception what `tell` leaves."""
    logger.configure(patcher=partial(_patch, tell=tell))
    try:
        yield
    finally:
        logger.configure(patcher=_patch)


def _patch(record: "Record", tell: Callable[[str], str] = str) -> None:
    """Give a line its trace id and two safe renderings; user text can start no new line."""
    context = current_or_none()
    extra = record["extra"]
    facts = {key: tell(value) if type(value) is str else value for key, value in extra.items()}
    message = tell(record["message"])
    trace_id = extra.setdefault("trace_id", context.trace_id if context else "-")
    shown = " ".join([message, *(f"{key}={value}" for key, value in facts.items())])
    extra["shown"] = _one_line(shown)
    line = {
        "time": record["time"].isoformat(),
        "level": record["level"].name,
        "message": message,
        "logger": record["name"],
        "trace_id": trace_id,
        "tenant": context.tenant if context else None,
        **{key: value for key, value in facts.items() if key != "trace_id"},
    }
    extra["traceback"] = ""
    if record["exception"] is not None and (error := record["exception"].value) is not None:
        line["exception"] = tell(repr(error))
        raised = tell("".join(traceback.format_exception(error)))
        extra["traceback"] = "".join(f"{_one_line(one)}\n" for one in raised.split("\n") if one)
    extra["json"] = json.dumps(line, default=str)


def _one_line(text: str) -> str:
    """Escape control characters, so that neither newline nor ANSI code of a user takes effect."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class _ToLoguru(logging.Handler):
    """Passes records of the standard library on."""

    def emit(self, record: logging.LogRecord) -> None:
        depth, frame = 0, inspect.currentframe()
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame, depth = frame.f_back, depth + 1
        logger.opt(depth=depth, exception=record.exc_info).log(
            record.levelname, "{}", record.getMessage()
        )

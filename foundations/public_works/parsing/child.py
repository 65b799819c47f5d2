"""The child process: takes one request on standard input, answers once, and ends."""

import gc
import json
import os
import resource
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from foundations.public_works.parsing import faults
from utilities.errors import PlatformError

_PARSING = "foundations.public_works.parsing"
_LOADED = (
    "charset_normalizer",
    "fastexcel",
    "kreuzberg",
    "numpy",
    "polars",
    *(
        f"{_PARSING}.{name}"
        for name in (
            "insights.comparing",
            "insights.finding",
            "insights.tables.columns",
            "insights.tables.keys",
            "insights.tables.table",
            "insights.texts.naming",
            "insights.texts.text",
            "json_documents",
            "large_tables",
            "markdown",
            "parquet_files",
            "phrases",
            "profiles",
            "reading",
            "slides",
            "table_words",
            "tables",
            "texts",
            "within",
            "workbooks",
        )
    ),
)
MEMORY_EXIT = 86
"""The exit code of a child that ran out of memory."""


def main() -> int:
    """Read a request, do it under the limits it names, write the answer to the first stdout.

    File descriptor 1 is pointed at standard error first: a library that prints cannot spoil the
    answer.
    """
    answer = os.dup(1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.buffer.read())
    limit(request["limits"])
    try:
        reply = perform(request)
    except MemoryError:
        return MEMORY_EXIT
    with os.fdopen(answer, "wb") as out:
        out.write(json.dumps(reply, allow_nan=False).encode())
    return 0


def prepare() -> None:
    """Load what reading a file may need, once, in the process that children are forked from.

    Loading only: a library that has worked has threads, which do not survive a fork.
    """
    for name in _LOADED:
        import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page it marks


def perform(request: dict[str, Any]) -> dict[str, Any]:
    """Do one request: `{"result": ...}`, or the fault it ended in."""
    try:
        return {"result": _WORK[request["work"]](request)}
    except PlatformError as fault:
        return faults.to_message(fault)


def limit(limits: dict[str, int]) -> None:
    """Bind this process for the rest of its life.

    Memory is limited by RLIMIT_DATA (private writable pages), not RLIMIT_AS: polars and BLAS
    reserve address space by the gigabyte that they never touch.
    """
    cpu = limits["cpu_seconds"]
    _set(resource.RLIMIT_CPU, cpu, cpu + 1)
    _set(resource.RLIMIT_DATA, limits["memory_bytes"], limits["memory_bytes"])
    _set(resource.RLIMIT_FSIZE, limits["file_bytes"], limits["file_bytes"])
    _set(resource.RLIMIT_CORE, 0, 0)


def _set(what: int, soft: int, hard: int) -> None:
    """Lower a limit; one that already is lower stays."""
    _, most = resource.getrlimit(what)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(what, (soft, hard))


def _parse(request: dict[str, Any]) -> Any:
    from foundations.public_works.parsing.insights.texts.naming import name_entities
    from foundations.public_works.parsing.models import ParseOptions
    from foundations.public_works.parsing.reading import read

    result = read(
        Path(request["path"]),
        Path(request["output"]),
        name=request["name"],
        options=ParseOptions.model_validate(request["options"]),
    )
    return name_entities(result, Path(request["output"])).model_dump(mode="json")


def _find_insights(request: dict[str, Any]) -> Any:
    from foundations.public_works.parsing.insights.finding import find
    from foundations.public_works.parsing.models import ParseResult

    parsed = ParseResult.model_validate(request["parsed"])
    artifacts = {name: Path(path) for name, path in request["artifacts"].items()}
    return find(parsed, artifacts).model_dump(mode="json")


def _compare(request: dict[str, Any]) -> Any:
    from foundations.public_works.parsing.insights.comparing import ParsedFile, compare
    from foundations.public_works.parsing.models import ParseResult

    files = [
        ParsedFile(
            ParseResult.model_validate(file["parsed"]),
            {name: Path(path) for name, path in file["artifacts"].items()},
        )
        for file in request["files"]
    ]
    return compare(files).model_dump(mode="json")


def _convert(request: dict[str, Any]) -> Any:
    from foundations.public_works.parsing.converting import convert
    from foundations.public_works.parsing.models import TableFormat

    convert(
        Path(request["path"]),
        Path(request["output"]),
        of=TableFormat(request["of"]),
        to=TableFormat(request["to"]),
    )
    return {}


_WORK: dict[str, Callable[[dict[str, Any]], Any]] = {
    "parse": _parse,
    "find_insights": _find_insights,
    "compare": _compare,
    "convert": _convert,
}

if __name__ == "__main__":
    sys.exit(main())

"""The child process: takes a request on standard input, answers it, and mostly ends.

Mostly: while what it did leaves nothing behind it may take another, see `_clean`.
"""

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from foundations.public_works import media_types
from foundations.public_works.parsing import faults, frames
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
MOST_REQUESTS = 100
"""So many are done by one child at most."""
MOST_GROWTH = 128 * 1024**2
"""Bytes that a child may hold more than at its beginning, and go on; of its limit an eighth."""
_OURS = frozenset(
    {media_types.TXT, media_types.MARKDOWN, media_types.CSV, media_types.TSV, media_types.JSON,
     media_types.NDJSON}
)  # fmt: skip
"""What is read without a parser of formats that others made: it leaves nothing in the process."""


def main() -> int:
    """Take requests, do each under the limits it names, and answer until one was the last.

    File descriptor 1 is pointed at standard error first: a library that prints cannot spoil the
    answer. An answer says whether the child goes on (`again`).
    """
    answers = os.dup(1)
    os.dup2(2, 1)
    begun = _private_bytes()
    for done in range(1, MOST_REQUESTS + 1):
        told = frames.receive(0)
        if told is None:
            break
        request = json.loads(told)
        limit(request["limits"])
        try:
            reply = perform(request)
        except MemoryError:
            return MEMORY_EXIT
        most = min(MOST_GROWTH, request["limits"]["memory_bytes"] // 8)
        again = done < MOST_REQUESTS and _private_bytes() - begun < most
        again = again and _clean(request["work"], reply)
        frames.send(answers, json.dumps(reply | {"again": again}, allow_nan=False).encode())
        if not again:
            break
        del told, request, reply
        gc.collect()  # nothing of one file is kept for the next
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


def _clean(work: str, reply: dict[str, Any]) -> bool:
    """Whether a request that was done left the process as it was.

    Not where it failed, nor where a library read what a stranger made: a parser of documents, of
    archives, of what archives hold.
    """
    if "result" not in reply or work not in {"parse", "find_insights"}:
        return False
    return work != "parse" or reply["result"]["media_type"] in _OURS


def _private_bytes() -> int:
    """The memory that RLIMIT_DATA counts; more than there is where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[5]
    except OSError:
        return sys.maxsize
    return int(pages) * resource.getpagesize()


def limit(limits: dict[str, int]) -> None:
    """Bind this process for what it does next, and never more loosely than before.

    Processor time is counted from now on; it is the soft limit, which a next request raises.

    Memory is limited by RLIMIT_DATA (private writable pages), not RLIMIT_AS: polars and BLAS
    reserve address space by the gigabyte that they never touch.
    """
    cpu = limits["cpu_seconds"]
    _set(resource.RLIMIT_CPU, round(time.process_time()) + cpu, MOST_REQUESTS * (cpu + 1))
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

    output = Path(request["output"])
    result = read(
        Path(request["path"]),
        output,
        name=request["name"],
        options=ParseOptions.model_validate(request["options"]),
    )
    name_entities(result, output)
    return result.model_dump(mode="json")


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

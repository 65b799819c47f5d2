"""The malware scanner on yara-x, with the rules in `rules/`."""

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Self

from foundations.public_works import archives
from foundations.public_works.scanner import Finding, Scanner, ScanReport
from foundations.public_works.threads import in_thread

_RULES = Path(__file__).parent / "rules"
_MACROS = re.compile(r"(?i:vbaproject\.bin|vbadata\.xml)$|^(?:Basic|Scripts)/.")
"""Where Office Open XML and OpenDocument keep programs."""
_SECONDS = 60


class YaraScanner(Scanner):
    """Scans files, and those inside of archives and messages.

    The rules are compiled once, when first used.
    """

    def __init__(self, *, rules: Path = _RULES) -> None:
        self._folder = rules
        self._compiled: Any = None
        self._compiling = Lock()

    async def scan(self, path: Path) -> ScanReport:
        return await in_thread(self._scan, path)

    def _scan(self, path: Path) -> ScanReport:
        with _OfThisThread(self._scanner()) as scanner:
            found = list(_findings(scanner.scan_file(path), ""))
            with path.open("rb") as file:
                holds_files = archives.holds_files(file.read(archives.HEAD))
            if holds_files:
                found += _inside(path, scanner)
        return ScanReport(findings=tuple(dict.fromkeys(found)))

    def _scanner(self) -> Any:
        """A new scanner over the rules, compiled once."""
        import yara_x

        with self._compiling:
            if self._compiled is None:
                sources = sorted(self._folder.glob("*.yar"))
                self._compiled = yara_x.compile(
                    "\n".join(source.read_text(encoding="utf-8") for source in sources)
                )
        scanner = yara_x.Scanner(self._compiled)
        scanner.set_timeout(_SECONDS)
        return scanner


class _OfThisThread:
    """Holds a scanner that may be used, and dropped, by one thread only.

    The traceback of an error keeps its frames, and so a scanner in one of them, until another
    thread has handled it: so frames hold this holder, which lets go at the end of its block.
    """

    def __init__(self, scanner: Any) -> None:
        self._held = [scanner]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.clear()

    def scan_file(self, path: Path) -> Any:
        return self._held[0].scan_file(str(path))

    def scan(self, data: bytes) -> Any:
        return self._held[0].scan(data)


def _inside(path: Path, scanner: _OfThisThread) -> Iterator[Finding]:
    """What is found in the entries of an archive, or the parts of a message."""
    for piece in archives.walk(path):
        if piece.first and _MACROS.search(piece.entry):
            yield Finding(rule="office_macros", title="macros", where=piece.entry)
        yield from _findings(scanner.scan(piece.data), piece.entry)


def _findings(results: Any, where: str) -> Iterator[Finding]:
    for rule in results.matching_rules:
        title = dict(rule.metadata).get("title", rule.identifier)
        yield Finding(rule=rule.identifier, title=str(title), where=where)

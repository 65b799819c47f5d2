"""The port of the malware scanner, and what it says of a file."""

from pathlib import Path
from typing import Protocol

from pydantic import Field

from utilities.errors import ErrorKind, PlatformError
from utilities.models import FrozenModel


class Finding(FrozenModel):
    """Something harmful in a file; `where` is the entry of the archive it was found in."""

    rule: str
    title: str
    where: str = ""


class ScanReport(FrozenModel):
    """What a scan found; a clean file has no findings."""

    findings: tuple[Finding, ...] = Field(default=())

    @property
    def clean(self) -> bool:
        return not self.findings

    def require_clean(self) -> None:
        """Pass a clean file.

        Raises:
            Malware: names what was found.
        """
        if self.findings:
            told = "; ".join(dict.fromkeys(_told(finding) for finding in self.findings))
            raise Malware(
                f"the file holds {told}",
                hint="it is kept apart, where an owner or a data steward decides about it",
            )


class Malware(PlatformError):
    """The file is harmful."""

    kind = ErrorKind.INVALID


class Scanner(Protocol):
    """Looks for what is harmful in a file, and for archives that unpack to more than is allowed."""

    async def scan(self, path: Path) -> ScanReport:
        """Scan a file and, when it is an archive or a message, what is inside.

        Raises:
            DecompressionLimit, DamagedArchive, UnsafeMarkup, MessageLimit: see `archives.walk`.
        """
        ...


def _told(finding: Finding) -> str:
    return f"{finding.title} (in {finding.where})" if finding.where else finding.title

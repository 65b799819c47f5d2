"""The data policy: what each track lets in, rule by rule, and how it is classified."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from foundations.public_works import media_types
from smart_city.data_steward.api import (
    Classification,
    DataTrack,
    KindOfDataRefused,
    PolicyRefused,
    PolicyRule,
    PolicySubject,
    TooMuchData,
)

VERSION = "1"
"""Changes with every change of a rule, so that old decisions stay readable as what they were."""

CLIENT_BYTES = 1_000_000_000
PLATFORM_BYTES = 50_000_000
PLATFORM_TYPES = frozenset(
    {
        media_types.CSV,
        media_types.JSON,
        media_types.NDJSON,
        media_types.TXT,
        media_types.MARKDOWN,
    }
)
KEY_MATERIAL = (
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p12", "*.pfx",
    "*.kdbx", "*.keystore", ".env", ".env.*", ".netrc", ".pgpass", ".htpasswd", "credentials.json",
)  # fmt: skip
_PERSONAL = re.compile(
    r"(?:^|[^a-z])(?:salar(?:y|ies)|payroll|medical|patients?|diagnos[ie]s|passports?|ssn|iban)"
    r"(?:[^a-z]|$)"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of one track. `refuses` answers with the refusal, or None where the rule is kept."""

    track: DataTrack
    name: str
    description: str
    refuses: Callable[[PolicySubject], PolicyRefused | None]

    @property
    def told(self) -> PolicyRule:
        return PolicyRule(name=self.name, track=self.track, description=self.description)


def classify(track: DataTrack, subject: PolicySubject) -> Classification:
    """Platform data is internal; client data is confidential, and restricted if so named."""
    if track is DataTrack.PLATFORM:
        return Classification.INTERNAL
    if _PERSONAL.search(subject.name.casefold()):
        return Classification.RESTRICTED
    return Classification.CONFIDENTIAL


def _kind_in(allowed: frozenset[str]) -> Callable[[PolicySubject], PolicyRefused | None]:
    def refuses(subject: PolicySubject) -> PolicyRefused | None:
        if subject.media_type in allowed:
            return None
        return KindOfDataRefused(
            f"files of type {subject.media_type} are not allowed here",
            hint=f"allowed are {', '.join(sorted(allowed))}",
        )

    return refuses


def _at_most(limit: int) -> Callable[[PolicySubject], PolicyRefused | None]:
    def refuses(subject: PolicySubject) -> PolicyRefused | None:
        if subject.size <= limit:
            return None
        return TooMuchData(
            f"the file has {subject.size:,} bytes, allowed are {limit:,}", hint="split the file"
        )

    return refuses


def _no_key_material(subject: PolicySubject) -> PolicyRefused | None:
    name = subject.name.casefold()
    if not any(fnmatchcase(name, pattern) for pattern in KEY_MATERIAL):
        return None
    return PolicyRefused(
        "the file is named like a key or a store of passwords",
        hint="keep secrets out of data; rename the file if it holds none",
    )


RULES = (
    Rule(
        DataTrack.CLIENT,
        "supported_kind",
        "Client files are of a kind the city can read: tables, texts, archives of them.",
        _kind_in(media_types.SUPPORTED),
    ),
    Rule(
        DataTrack.CLIENT,
        "size_limit",
        f"A client file has at most {CLIENT_BYTES:,} bytes.",
        _at_most(CLIENT_BYTES),
    ),
    Rule(
        DataTrack.CLIENT,
        "no_key_material",
        "Files named like private keys or stores of passwords stay out.",
        _no_key_material,
    ),
    Rule(
        DataTrack.PLATFORM,
        "plain_kind",
        "The platform's own files are plain text, Markdown, CSV or JSON.",
        _kind_in(PLATFORM_TYPES),
    ),
    Rule(
        DataTrack.PLATFORM,
        "size_limit",
        f"A file of the platform's own has at most {PLATFORM_BYTES:,} bytes.",
        _at_most(PLATFORM_BYTES),
    ),
)

SEMANTIC_RULE = PolicyRule(
    name="semantic_layer_is_for_clients",
    track=DataTrack.CLIENT,
    description="Only content of client files that the policy let in is embedded and indexed.",
)

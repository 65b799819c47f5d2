"""Names that senders give their files, made safe to keep, to show and to put into a header."""

import re
import unicodedata

LONGEST = 200
"""Characters of a display name; the suffix survives the cut."""

_SUFFIX = re.compile(r"\.[^.\s]{1,16}$")
_KEPT_FORMAT_CHARACTERS = "\u200c\u200d"  # joiners, part of the spelling of several scripts
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


def safe_name(name: str) -> str:
    """The last part of a path, without control, bidi or other invisible characters.

    Lone surrogates go too. What holds no character worth showing becomes `unnamed`; a device name
    of Windows gets an underscore in front.
    """
    visible = "".join(c for c in unicodedata.normalize("NFC", name) if _is_shown(c))
    last = re.split(r"[/\\]", visible)[-1]
    last = " ".join(re.sub(r"^[A-Za-z]:", "", last).split())
    if not last.strip(". _"):
        return "unnamed"
    if _DEVICES.fullmatch(last):
        last = f"_{last}"
    return _cut(last)


def storage_key(track: str, tenant: str, file_id: str) -> str:
    """Where a file's bytes lie; a tenant whose name is no plain word is told by its hex digits."""
    plain = re.fullmatch(r"[a-z0-9][a-z0-9_-]*", tenant)
    return f"{track}/{tenant if plain else 'x.' + tenant.encode().hex()}/{file_id}"


def _is_shown(character: str) -> bool:
    if character in _KEPT_FORMAT_CHARACTERS:
        return True
    category = unicodedata.category(character)
    return category == "Zs" or category[0] not in "CZ"


def _cut(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    suffix = found[0] if (found := _SUFFIX.search(name)) else ""
    return name[: LONGEST - len(suffix)] + suffix

"""What office documents say of themselves: title, authors, language, times."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

from foundations.public_works.parsing.models import DocumentProperties

_MOST = 1_000_000  # bytes; these parts are a few hundred
_CORE = "docProps/core.xml"  # ECMA-376 part 2, 11
_META = "meta.xml"  # OpenDocument 1.3 part 3, 4.3
_LONGEST = 300


def of_package(path: Path) -> DocumentProperties:
    """The properties of an Office Open XML or OpenDocument file, which `archives.walk` has judged.

    One whose properties cannot be read has none: they are not what people send a file for.
    """
    with zipfile.ZipFile(path) as package:
        names = package.namelist()
        part = next((name for name in (_CORE, _META) if name in names), "")
        if not part:
            return DocumentProperties()
        with package.open(part) as entry:
            data = entry.read(_MOST)
    try:
        root = ET.fromstring(data)  # noqa: S314 - archives.walk lets no entities pass
    except ET.ParseError:
        return DocumentProperties()
    return _of_core(root) if part == _CORE else _of_meta(root)


def _of_core(root: ET.Element) -> DocumentProperties:
    return DocumentProperties(
        title=_first(root, "title"),
        subject=_first(root, "subject"),
        authors=tuple(name.strip() for name in _first(root, "creator").split(";") if name.strip()),
        language=_first(root, "language"),
        created_at=_first(root, "created"),
        modified_at=_first(root, "modified"),
    )


def _of_meta(root: ET.Element) -> DocumentProperties:
    author = _first(root, "initial-creator") or _first(root, "creator")
    return DocumentProperties(
        title=_first(root, "title"),
        subject=_first(root, "subject"),
        authors=(author,) if author else (),
        language=_first(root, "language"),
        created_at=_first(root, "creation-date"),
        modified_at=_first(root, "date"),
    )


def _first(root: ET.Element, name: str) -> str:
    """The text of the first element of this name, in whatever namespace."""
    found = root.find(f".//{{*}}{name}")
    return " ".join((found.text or "").split())[:_LONGEST] if found is not None else ""

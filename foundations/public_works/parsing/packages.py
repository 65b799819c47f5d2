"""Parts of Office Open XML packages, and how they refer to each other (ECMA-376 part 2)."""

import posixpath
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from foundations.public_works.parsing.faults import UnreadableFile

REL_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def listed(package: zipfile.ZipFile, part: str, elements: str) -> Iterator[tuple[str, Element]]:
    """The parts that elements of a part refer to, with those elements, in their order."""
    targets = relationships(package, part)
    for entry in parsed(package, part).iterfind(f".//{{*}}{elements}"):
        if (known := targets.get(entry.get(REL_ID, ""))) is not None:
            yield known[1], entry


def relationships(package: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """By id, the type and target of what a part refers to inside the package."""
    folder, name = posixpath.split(part)
    rels = f"{folder}/_rels/{name}.rels"
    if rels not in package.namelist():
        return {}
    return {
        one.get("Id", ""): (
            one.get("Type", ""),
            posixpath.normpath(posixpath.join(folder, one.get("Target", ""))).lstrip("/"),
        )
        for one in parsed(package, rels)
        if one.get("TargetMode") != "External"
    }


def parsed(package: zipfile.ZipFile, part: str) -> Element:
    """A part as XML.

    Raises:
        UnreadableFile: it is missing or broken.
    """
    try:
        return ET.fromstring(package.read(part))  # noqa: S314 - archives.walk lets no entities pass
    except (KeyError, ET.ParseError) as error:
        raise UnreadableFile(
            f"the part {part[:100]!r} of the file is missing or broken",
            hint="open it in the program that wrote it and save it anew",
        ) from error

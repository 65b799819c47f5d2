"""Files inside of files: the entries of an archive, the parts of a message, each read as itself."""

import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from foundations.public_works import archives, messages
from foundations.public_works.archives import Encrypted
from foundations.public_works.messages import Part, header
from foundations.public_works.parsing.faults import NoData
from foundations.public_works.parsing.models import DocumentProperties, FileWithin, Scalar
from foundations.public_works.parsing.notes import Notes
from foundations.public_works.parsing.places import Place
from foundations.public_works.parsing.sources import Section, Source, Table
from utilities.errors import PlatformError

MAX_FILES = 200
_ENCRYPTED = {"application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted"}
_SIGNATURES = {
    "application/pgp-signature",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
}
_NOT_SHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_OF_SYSTEMS = re.compile(r"(?:^|/)(?:__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._)")

Read = Callable[[Path, str, Notes], tuple[str, Source]]
"""Reads a file by its path and name: its media type, and what it holds."""


def archive(path: Path, scratch: Path, *, read: Read, notes: Notes) -> Source:
    """All files of a ZIP archive. One that cannot be read is told of, and the others are read.

    Raises:
        DecompressionLimit, DamagedArchive, UnsafeMarkup, MessageLimit: see `archives.walk`.
        NoData: there is no file in it. PlatformError: the first file's, when none can be read.
    """
    archives.inspect(path)
    found = _Found(notes)
    with (
        TemporaryDirectory(dir=scratch) as folder,
        zipfile.ZipFile(path) as opened,
    ):
        entries = [
            info
            for info in opened.infolist()
            if not archives.is_folder(info) and not _OF_SYSTEMS.search(info.filename)
        ]
        _note_many(len(entries), notes)
        for number, info in enumerate(entries[:MAX_FILES]):
            unpacked = Path(folder) / str(number)
            with opened.open(info) as entry, unpacked.open("wb") as file:
                shutil.copyfileobj(entry, file)
            found.add(unpacked, shown(info.filename) or f"file {number + 1}", read)
            unpacked.unlink()
    found.require_one()
    return Source(
        "table" if found.any_table_file else "text",
        tables=_by_path(found.tables),
        sections=found.sections,
        metadata={"files": len(entries)},
        files=tuple(found.files),
    )


def message(path: Path, scratch: Path, *, read: Read, notes: Notes) -> Source:
    """The text of a message, and its attachments as files of their own.

    Raises:
        Encrypted: nobody but its receiver can read it. MessageLimit: it is too big.
        NoData: it says nothing, and nothing is attached.
    """
    archives.inspect(path)
    opened = messages.opened(path.read_bytes())
    parts = list(messages.parts(opened))
    found = _Found(notes)
    subject = header(opened["Subject"])
    body = _body(parts)
    with TemporaryDirectory(dir=scratch) as folder:
        for number, part in enumerate(_files(parts)):
            unpacked = Path(folder) / str(number)
            unpacked.write_bytes(part.data)
            found.add(unpacked, shown(part.name) or _nameless(part), read)
            unpacked.unlink()
    if opened.get_content_type() in _ENCRYPTED and not (body or found.sections or found.tables):
        raise Encrypted("the message is encrypted", hint="save it decrypted")
    said = [Section(Place.message(), f"{subject}\n\n{body}".strip())] if subject or body else []
    if not said and not any(_within(parts)):
        found.require_one()
    return Source(
        "text",
        tables=found.tables,
        sections=[*said, *_within(parts), *found.sections],
        metadata=_facts(opened, attachments=sum(part.attached for part in parts)),
        properties=DocumentProperties(
            title=subject[:300],
            authors=tuple(_addresses(opened, "From"))[:10],
            language=header(opened["Content-Language"])[:35],
            created_at=_sent(opened),
        ),
        files=tuple(found.files),
    )


def shown(name: str) -> str:
    """A name of a file within, safe to show."""
    return _NOT_SHOWN.sub("", name.replace("\\", "/"))[-200:]


@dataclass(slots=True)
class _Found:
    """Gathers what files within hold, under their names."""

    notes: Notes
    tables: list[Table] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    files: list[FileWithin] = field(default_factory=list)
    any_table_file: bool = False
    first_fault: PlatformError | None = None

    def add(self, path: Path, name: str, read: Read) -> None:
        size = path.stat().st_size
        local = Notes()
        try:
            media_type, source = read(path, name, local)
        except PlatformError as fault:
            self.first_fault = self.first_fault or fault
            self.notes.add(
                "files within that were not read", f"{name}: {fault.detail}", code=fault.code
            )
            self.files.append(
                FileWithin(name=name, size=size, problem=fault.code, detail=fault.detail[:300])
            )
            return
        self.notes.take(local, of=name)
        self.any_table_file = self.any_table_file or source.kind == "table"
        self.tables += [
            _table_of(table, name, alone=len(source.tables) == 1) for table in source.tables
        ]
        self.sections += [
            Section(section.place.within(name), section.text) for section in source.sections
        ]
        self.files.append(
            FileWithin(
                name=name,
                media_type=media_type,
                size=size,
                tables=len(source.tables),
                sections=len(source.sections),
            )
        )
        self.files += [
            inner.model_copy(update={"name": f"{name}/{inner.name}"[-200:]})
            for inner in source.files
        ]

    def require_one(self) -> None:
        """Pass when some file was read.

        Raises:
            NoData: there was none. PlatformError: why the first could not be.
        """
        if self.tables or self.sections:
            return
        if self.first_fault is not None:
            raise self.first_fault
        raise NoData("there is no file in it that holds anything", hint="is it complete?")


def _table_of(table: Table, name: str, *, alone: bool) -> Table:
    stem = Path(name).stem or name
    own = stem if alone and table.name in ("", stem) else f"{Path(name).name}: {table.name}"
    return replace(table, name=own[:100], place=f"{name}: {table.place}" if table.place else name)


def _by_path(tables: list[Table]) -> list[Table]:
    """The tables of an archive, those that share a name called by where they lie in it."""
    counts = Counter(table.name for table in tables)
    return [
        replace(table, name=f"{parent}/{table.name}"[-100:])
        if counts[table.name] > 1 and (parent := Path(table.place).parent.as_posix()) != "."
        else table
        for table in tables
    ]


def _files(parts: list[Part]) -> Iterator[Part]:
    """The parts that are files; a message as a web page only where it is not there as text."""
    told = {part.of for part in parts if _is_text(part) and _decoded(part)}
    yield from (
        part
        for part in parts
        if not part.attached and part.media_type == "text/html" and part.of not in told
    )
    kept = [
        part
        for part in parts
        if part.media_type not in _SIGNATURES
        and (part.attached or part.media_type not in ("text/plain", "text/html"))
    ]
    yield from kept[:MAX_FILES]


def _is_text(part: Part) -> bool:
    return not part.attached and part.media_type == "text/plain"


def _body(parts: list[Part]) -> str:
    """The plain text of a message, without that of messages inside."""
    texts = [_decoded(part) for part in parts if _is_text(part) and not part.of]
    return "\n\n".join(text for text in texts if text)


def _within(parts: list[Part]) -> Iterator[Section]:
    """The plain texts of messages inside, each under what it is called."""
    for part in parts:
        if _is_text(part) and part.of and (text := _decoded(part)):
            yield Section(Place.message().within(shown(part.of)), f"{part.of}\n\n{text}")


def _decoded(part: Part) -> str:
    try:
        text = part.data.decode(part.charset)
    except (LookupError, UnicodeError):
        text = part.data.decode("cp1252", errors="replace")
    return text.replace("\x00", "").replace("\r\n", "\n").strip()


def _nameless(part: Part) -> str:
    return "message.html" if part.media_type == "text/html" else f"part ({part.media_type})"


def _facts(opened: Message, *, attachments: int) -> dict[str, Scalar]:
    facts: dict[str, Scalar] = {"attachments": attachments}
    for name in ("To", "Cc"):
        if told := ", ".join(_addresses(opened, name)):
            facts[name.lower()] = told[:300]
    if identifier := header(opened["Message-ID"]):
        facts["message_id"] = identifier[:300]
    return facts


def _addresses(opened: Message, name: str) -> list[str]:
    values = [header(value) for value in opened.get_all(name, [])]
    return [f"{who} <{at}>" if who else at for who, at in getaddresses(values[:20]) if at][:50]


def _sent(opened: Message) -> str:
    with suppress(ValueError, TypeError, IndexError):
        return parsedate_to_datetime(header(opened["Date"])).isoformat()
    return ""


def _note_many(count: int, notes: Notes) -> None:
    if count > MAX_FILES:
        notes.add(
            "files within",
            f"only the first {MAX_FILES} of {count:,} files in the archive were read",
            code="file_cap",
        )

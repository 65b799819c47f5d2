"""Electronic mail as it is stored (RFC 5322, MIME): told from other text, and taken apart."""

import email
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message

from utilities.errors import ErrorKind, PlatformError

MAX_BYTES = 50_000_000
MAX_PARTS = 1_000
_MAX_MULTIPARTS = 100
_FIELD = re.compile(rb"([!-9;-~]{1,70}):")
_ANY_TWO_OF = {b"to", b"date", b"subject", b"message-id", b"mime-version", b"received"}


class MessageLimit(PlatformError):
    """The message is larger, or made of more parts, than is allowed."""

    kind = ErrorKind.INVALID


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a message that holds something: decoded, its type as the message states it."""

    name: str
    media_type: str
    charset: str
    attached: bool
    data: bytes
    of: str = ""
    """What the message inside the message is called that it is of; empty for the outer one."""


NAMELESS = "message without a subject"


def is_message(head: bytes) -> bool:
    """Whether a file that begins so is a message: fields up to an empty line, `From` among them."""
    fields: set[bytes] = set()
    lines = head.replace(b"\r\n", b"\n").split(b"\n")
    whole = lines[:-1] if len(lines) > 1 else lines
    for number, line in enumerate(whole[:2_000]):
        if not line:
            break
        if number and line[:1] in (b" ", b"\t"):
            continue
        found = _FIELD.match(line)
        if found is None:
            return False
        fields.add(found[1].lower())
    return b"from" in fields and len(fields & _ANY_TWO_OF) >= 2


def opened(data: bytes) -> Message:
    """The message in `data`.

    Raises:
        MessageLimit: it is too big, or its parts are nested in a way no mail program writes.
    """
    if len(data) > MAX_BYTES:
        raise _too_much(f"more than {MAX_BYTES // 1_000_000} MB")
    if data.lower().count(b"multipart/") > _MAX_MULTIPARTS:
        raise _too_much(f"more than {_MAX_MULTIPARTS} groups of parts")
    return email.message_from_bytes(data)


def parts(message: Message) -> Iterator[Part]:
    """Every part that is no group of parts, in the message's order, those of messages inside too.

    Raises:
        MessageLimit: there are more than a thousand.
    """
    for number, (part, of) in enumerate(_walk(message, "")):
        if number > MAX_PARTS:
            raise _too_much(f"more than {MAX_PARTS:,} parts")
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True)
        name = header(part.get_filename(""))
        if isinstance(payload, bytes) and payload:
            yield Part(
                name=name,
                media_type=part.get_content_type(),
                charset=str(part.get_param("charset") or "utf-8"),
                attached=bool(name) or part.get_content_disposition() == "attachment",
                data=payload,
                of=of,
            )


def _walk(message: Message, of: str) -> Iterator[tuple[Message, str]]:
    """A message and its parts, each with what the message inside is called that it is of."""
    waiting = [(message, of)]
    while waiting:
        part, of = waiting.pop()
        yield part, of
        if not part.is_multipart():
            continue
        inner = [one for one in part.get_payload() if isinstance(one, Message)]
        if part.get_content_type() == "message/rfc822":
            names = [header(one["Subject"]) or NAMELESS for one in inner]
            waiting += reversed([(one, name) for one, name in zip(inner, names, strict=True)])
        else:
            waiting += reversed([(one, of) for one in inner])


def header(value: object) -> str:
    """A header's text with its encoded words (RFC 2047) decoded, on one line."""
    raw = str(value or "")
    with suppress(LookupError, ValueError, UnicodeError):  # an unknown encoding stays as it stands
        raw = str(make_header(decode_header(raw)))
    return " ".join(raw.split())


def _too_much(what: str) -> MessageLimit:
    return MessageLimit(f"the message holds {what}", hint="save its attachments and send those")

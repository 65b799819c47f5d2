"""Strict JSON: what one reader would take and another refuse is refused here, and where it is."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, cast

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from foundations.experience.problems import HttpError, MalformedJson
from foundations.public_works.threads import in_thread
from utilities.errors import ErrorKind, FieldError, PlatformError

DEEPEST = 64
LARGEST_INTEGER = 2**63 - 1
_LARGE = 64 * 1024
_UNUSABLE_TEXT = re.compile("[\x00\ud800-\udfff]")


class NotJson(HttpError):
    """The body is not sent as JSON in UTF-8."""

    kind = ErrorKind.UNSUPPORTED
    status = 415


class AmbiguousJson(HttpError):
    """The body is JSON that readers understand differently."""


class UnusableJson(PlatformError):
    """The body is JSON with values that cannot be used."""

    kind = ErrorKind.INVALID


async def json_object(request: Request) -> dict[str, Any]:
    """The body of a request as an object; no body at all is an empty one.

    Raises:
        NotJson: it says that it is something else.
        MalformedJson, AmbiguousJson, UnusableJson: see `parse_object`.
    """
    body = await request.body()
    if not body:
        return {}
    _check_headers(request)
    if len(body) > _LARGE:
        return await in_thread(parse_object, body)
    return parse_object(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """Read one JSON object (RFC 8259, as strict as I-JSON, RFC 7493, and no deeper than 64).

    Raises:
        MalformedJson: it is no JSON, or nested too deeply.
        AmbiguousJson: a key stands twice in one object.
        UnusableJson: it is no object, or holds numbers beyond 64 bits, NaN, or broken text.
    """
    value = _parsed(body)
    if not isinstance(value, dict | _Repeated):
        raise UnusableJson(
            "the body has to be an object", errors=[FieldError("", "is not an object")]
        )
    found = [fault for pointer, item in _walk(value) for fault in _faults(pointer, item)]
    if found:
        raise UnusableJson("the body holds values that cannot be used", errors=found[:20])
    return cast("dict[str, Any]", value)


def _check_headers(request: Request) -> None:
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    if media_type != b"application/json":
        raise NotJson("only application/json is read here", hint="set the header Content-Type")
    if options.get(b"charset", b"utf-8").lower() not in {b"utf-8", b"utf8"}:
        raise NotJson("only UTF-8 is read here", hint="leave the charset out of Content-Type")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise NotJson("compressed bodies are not read", hint="send the body as it is")


class _Repeated:
    """Stands for an object in which a key stands twice."""

    def __init__(self, key: str) -> None:
        self.key = key


class _Unusable:
    """Stands for a number that is none here: NaN, an infinity, or a giant."""

    def __init__(self, text: str) -> None:
        self.text = text[:12]


def _parsed(body: bytes) -> Any:
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedJson(
            f"byte {error.start} is not UTF-8", errors=[FieldError("", "is not UTF-8")]
        ) from error
    except json.JSONDecodeError as error:
        detail = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise MalformedJson(detail, errors=[FieldError("", detail)]) from error
    except RecursionError as error:
        raise _too_deep("") from error


def _object(pairs: list[tuple[str, Any]]) -> Any:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    return _Repeated(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]  # add() as "not seen"


def _integer(text: str) -> Any:
    if len(text) > 20 or abs(number := int(text)) > LARGEST_INTEGER:
        return _Unusable(text)
    return number


def _decimal(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else _Unusable(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_Unusable
)


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Every value with its pointer, without recursion; raises where it gets too deep or repeats."""
    waiting: list[tuple[str, int, Any]] = [("", 1, value)]
    while waiting:
        pointer, depth, item = waiting.pop()
        if depth > DEEPEST:
            raise _too_deep(pointer)
        if isinstance(item, _Repeated):
            where = f"{pointer}/{_token(item.key)}"
            raise AmbiguousJson("a key is repeated", errors=[FieldError(where, "stands twice")])
        if isinstance(item, dict):
            for key, inner in item.items():
                yield pointer, key
                waiting.append((f"{pointer}/{_token(key)}", depth + 1, inner))
        elif isinstance(item, list):
            waiting += [(f"{pointer}/{i}", depth + 1, inner) for i, inner in enumerate(item)]
        else:
            yield pointer, item


def _faults(pointer: str, item: Any) -> Iterator[FieldError]:
    if isinstance(item, _Unusable):
        yield FieldError(pointer, f"{item.text} is no number that fits in 64 bits")
    elif isinstance(item, str) and _UNUSABLE_TEXT.search(item):
        yield FieldError(pointer, "holds a NUL or half of a surrogate pair")


def _too_deep(pointer: str) -> MalformedJson:
    found = FieldError(pointer[:500], "is nested too deeply")
    return MalformedJson(f"the body is nested deeper than {DEEPEST}", errors=[found])


def _token(key: str) -> str:
    """A key as one step of a JSON pointer, short and printable."""
    shown = key[:100].replace("~", "~0").replace("/", "~1")
    return "".join(c if c.isprintable() else "?" for c in shown)

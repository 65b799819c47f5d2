"""The words of expressions: names, numbers, quoted texts and signs, each with its column."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from utilities.errors import ErrorKind, PlatformError


class FaultyExpression(PlatformError):
    """An expression of a template is faulty."""

    kind = ErrorKind.INVALID

    def __init__(
        self, problem: str, *, column: int, hint: str = "", path: tuple[str | int, ...] = ()
    ) -> None:
        self.problem = problem
        self.column = column
        """From 0: in the expression, or in the whole text that holds it where `template_parts`
        or `compile_value` found the fault."""
        self.path = path
        """Keys and indexes that lead to that text in a nested constant."""
        super().__init__(f"column {column}: {problem}", hint=hint)


@dataclass(frozen=True, slots=True)
class Token:
    at: int
    kind: str
    text: str


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\f]+)
    |(?P<comment>//)
    |(?P<bytes>[bB][rR]?["']|[rR][bB]["'])
    |(?P<string>[rR](?:\"\"\".*?\"\"\"|'{3}.*?'{3}|"[^"\r\n]*"|'[^'\r\n]*')
        |\"\"\"(?:[^\\]|\\.)*?\"\"\"|'{3}(?:[^\\]|\\.)*?'{3}
        |"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<symbol>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_ENDS = {"bytes": "bytes are not offered", "comment": "a comment has no place in an expression"}


def tokens(text: str) -> Iterator[Token]:
    """Every token of a text, and one for its end."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            cut = text[at] in "\"'"
            problem = "this text is never closed" if cut else f"cannot read {text[at]!r} here"
            raise FaultyExpression(problem, column=at, hint=_instead_of(text[at]))
        kind = str(found.lastgroup)
        if kind in _ENDS:
            raise FaultyExpression(_ENDS[kind], column=at)
        if kind != "space":
            yield Token(at, kind, found[0])
        at = found.end()
    yield Token(len(text), "end", "")


def _instead_of(sign: str) -> str:
    return {"=": "Write == to compare", "&": "Write &&", "|": "Write ||"}.get(sign, "")


_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})"
    r"|([0-3][0-7]{2})|(.?))",
    re.DOTALL,
)
_SHORT = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))


def unquoted(text: str, at: int) -> str:
    """What a quoted text says."""
    raw = text[0] in "rR"
    body = text[1:] if raw else text
    quote = 3 if body[:3] in {'"""', "'''"} and len(body) >= 6 else 1
    body = body[quote:-quote]
    return body if raw else _ESCAPE.sub(lambda found: _unescaped(found, at), body)


def _unescaped(found: re.Match[str], at: int) -> str:
    short, *codes, octal, wrong = found.groups()
    if short:
        return _SHORT[short]
    code = int(octal, 8) if octal else int(next((c for c in codes if c), "-1"), 16)
    if wrong is not None or not 0 <= code < 0x110000 or 0xD800 <= code < 0xE000:
        raise FaultyExpression(f"{found[0]} stands for no character", column=at)
    return chr(code)

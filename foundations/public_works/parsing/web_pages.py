"""The head of a web page, which speaks to browsers, apart from its body, which speaks to people."""

import re
from html.parser import HTMLParser

from foundations.public_works.parsing.models import DocumentProperties

_TABLE_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>table|thead|tbody|tfoot|tr|td|th|caption)\b[^<>]*>", re.IGNORECASE
)
_LONGEST = 300
_NAMED = {
    "author": "author",
    "dc.creator": "author",
    "description": "subject",
    "date": "created_at",
    "dcterms.created": "created_at",
    "article:published_time": "created_at",
    "last-modified": "modified_at",
    "article:modified_time": "modified_at",
}


def split(page: str) -> tuple[DocumentProperties, str]:
    """What a page's head says of it, and the page without that head."""
    head = _Head()
    end = _end_of_head(page)
    head.feed(page[:end])
    head.close()
    return head.properties(), page[end:]


def unnested(page: str) -> str:
    """A page in which tables around other tables, which only lay it out, are no tables."""
    inside: list[int] = []
    owner: dict[int, int] = {}
    around: set[int] = set()
    for number, tag in enumerate(found := list(_TABLE_TAG.finditer(page))):
        opens_table = tag["name"].lower() == "table"
        if opens_table and not tag["end"]:
            around |= set(inside[-1:])
            inside.append(number)
        owner[number] = inside[-1] if inside else -1
        if opens_table and tag["end"] and inside:
            inside.pop()
    pieces, at = [], 0
    for number, tag in enumerate(found):
        if owner[number] in around:
            pieces += [page[at : tag.start()], f"<{tag['end']}div>"]
            at = tag.end()
    return "".join([*pieces, page[at:]])


def _end_of_head(page: str) -> int:
    """Where the body begins; 0 when nobody can say."""
    lower = page[:1_000_000].lower()
    body = lower.find("<body")
    if body >= 0:
        return body
    closed = lower.find("</head>")
    return closed + len("</head>") if closed >= 0 else 0


class _Head(HTMLParser):
    """Gathers title, language and named facts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._facts: dict[str, str] = {}
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_title = tag == "title"
        if tag == "html":
            self._keep("language", given.get("lang", given.get("xml:lang", "")))
        elif tag == "meta":
            name = given.get("name", given.get("property", "")).lower()
            if name in _NAMED:
                self._keep(_NAMED[name], given.get("content", ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_title = self._in_title and tag != "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self._keep("title", self._facts.get("title", "") + data)

    def _keep(self, name: str, value: str) -> None:
        self._facts[name] = " ".join(value.split())[:_LONGEST]

    def properties(self) -> DocumentProperties:
        author = self._facts.pop("author", "")
        return DocumentProperties(**self._facts, authors=(author,) if author else ())

"""What the documents say, taken apart: links, code, commands, routes."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"(?ms)^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$")
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_SEPARATORS = re.compile(r"\s*(?:&&|;|\||&(?=\s|$))\s*")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block: its language and its text, indentation taken off."""

    language: str
    text: str


def code_blocks(text: str) -> list[CodeBlock]:
    """Every fenced block of a document."""
    return [
        CodeBlock(found["language"], _dedented(found["text"], len(found["indent"])))
        for found in _FENCE.finditer(text)
    ]


def inline_code(text: str) -> list[str]:
    """Every `piece of code` outside of fenced blocks."""
    return _INLINE.findall(_FENCE.sub("", text))


def relative_links(text: str) -> list[str]:
    """The targets of links that lead into the checkout."""
    targets = [found["target"] for found in _LINK.finditer(_FENCE.sub("", text))]
    return [target for target in targets if "://" not in target]


def anchors(text: str) -> set[str]:
    """The anchors that the headings of a document make."""
    return {_slug(heading) for heading in _HEADING.findall(_FENCE.sub("", text))}


def commands(text: str) -> Iterator[list[str]]:
    """Every command a reader may type, split into words: of blocks, and of inline code."""
    for block in code_blocks(text):
        match block.language:
            case "sh":
                yield from _split(block.text.splitlines())
            case "console":
                yield from _split(_typed(block.text))
    for piece in inline_code(text):
        if piece.startswith(("python ", "civitas ", ".ci/")):
            yield shlex.split(piece)


def dead_links(document: Path, text: str) -> list[str]:
    """Links to files, folders or headings that are not there."""
    dead = []
    for target in relative_links(text):
        path, _, anchor = target.partition("#")
        to = (document.parent / path).resolve() if path else document
        if not to.exists() or (anchor and anchor not in anchors(to.read_text("utf-8"))):
            dead.append(target)
    return dead


def _typed(text: str) -> Iterator[str]:
    """The lines after a prompt, those that a backslash continues put together."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("$ "):
            typed = line.removeprefix("$ ")
            while typed.endswith("\\"):
                typed = typed.removesuffix("\\") + next(lines).strip()
            yield typed


def _split(lines: Iterator[str] | list[str]) -> Iterator[list[str]]:
    """Each command of each line; what stands in quotes is not taken apart."""
    for line in lines:
        quoted = [(m.start(), m.end()) for m in re.finditer(r"'[^']*'|\"(?:\\.|[^\"])*\"", line)]
        begin = 0
        for found in _SEPARATORS.finditer(line):
            if any(start < found.start() < end for start, end in quoted):
                continue
            yield shlex.split(line[begin : found.start()])
            begin = found.end()
        if line[begin:].strip():
            yield shlex.split(line[begin:])


def _slug(heading: str) -> str:
    """As GitHub makes it: lower case, punctuation away, spaces to hyphens."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def _dedented(text: str, width: int) -> str:
    return "\n".join(
        line[width:] if not line[:width].strip() else line for line in text.splitlines()
    )

"""A report as Markdown: nothing in a file or its name can become a heading, a link or an image."""

import re
from collections.abc import Iterator, Sequence

from foundations.experience.terminal import clean
from foundations.public_works.parsing.insights.model import Insight, InsightKind
from realms.solution.report.content import (
    COLUMN_HEADINGS,
    FileReport,
    Report,
    column_rows,
    kind,
    left_out,
    places,
    sentence,
    strength,
)

_SPECIAL = re.compile(r"([\\`*_\[\]!|<>~&$])|^([-+#=])|(?<=^\d)([.)])")
_LINKS = re.compile(r"(?i)\b(https?|ftp|mailto|javascript|data)(:)|\b(www)(\.)|(\w)(@)(\w)")


def markdown(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield "# Data mash report"
    if report.made_at:
        yield from ("", f"Made at {escaped(report.made_at)}.")
    if report.across is not None and report.across.insights:
        yield from ("", "## Across the files", "")
        yield from _insights(report.across.insights, report.across.left_out)
    for file in report.files:
        yield from ("", f"## {escaped(file.title)}", "")
        yield from _file(file)


def _file(file: FileReport) -> Iterator[str]:
    if file.error:
        yield f"**Not mashed.** {escaped(file.error)}"
        if file.hint:
            yield f"What to do: {escaped(file.hint)}"
    if file.insights is not None:
        yield from _insights(file.insights.insights, file.insights.left_out)
        for name, rows in column_rows(file.insights).items():
            yield from ("", f"### Columns of {escaped(name)}", "")
            yield _row(COLUMN_HEADINGS)
            yield _row(["---"] * len(COLUMN_HEADINGS), escape=False)
            for row in rows:
                yield _row(row.cells)
    if file.warnings:
        yield from ("", "### How it was read", "")
        yield from (f"- {escaped(warning)}" for warning in file.warnings)


def _insights(insights: Sequence[Insight], more: int) -> Iterator[str]:
    for insight in insights:
        if insight.kind in (InsightKind.OVERVIEW, InsightKind.NOTHING_UNUSUAL):
            yield f"{escaped(sentence(insight))}\n"
            continue
        where = escaped("; ".join(places(insight)))
        yield f"- **{kind(insight)}**, {strength(insight)}: {escaped(sentence(insight))}" + (
            f" *({where})*" if where else ""
        )
    if more:
        yield from ("", left_out(more))


def _row(cells: Sequence[str], *, escape: bool = True) -> str:
    return "| " + " | ".join(escaped(cell) if escape else cell for cell in cells) + " |"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is; a joiner of no width keeps addresses from being links."""
    bare = _LINKS.sub(_parted, clean(text))
    return _SPECIAL.sub(r"\\\g<0>", bare)


def _parted(match: re.Match[str]) -> str:
    groups = [group for group in match.groups() if group]
    return "\u2060".join(groups)

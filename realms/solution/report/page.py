"""A report as one HTML file: styles and charts are in it, it runs nothing and asks for nothing."""

from collections.abc import Iterator, Sequence
from html import escape

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
from realms.solution.report.drawing import draw

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--dim:#5d6778;--paper:#fff;--card:#f6f7f9;
--rule:#dfe3e9;--mark:#2f6db3}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#9aa5b5;--paper:#14181f;
--card:#1c222c;--rule:#303845;--mark:#6aa5e6}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1.5rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:2px solid var(--rule);font-size:1.3rem;
overflow-wrap:anywhere}h3{font-size:1rem}
nav ul{padding-left:1.2rem}a{color:var(--mark)}
article{margin:.8rem 0;padding:.8rem 1rem;border-radius:.5rem;background:var(--card)}
article p{margin:.2rem 0;overflow-wrap:anywhere}
.kind{color:var(--dim);font-size:.8rem;text-transform:uppercase;letter-spacing:.04em}
.place{color:var(--dim);font-size:.85rem}
svg{display:block;width:100%;max-width:36rem;height:auto;margin-top:.6rem}
svg text{fill:var(--dim);font-size:10.5px}svg .title{fill:var(--ink)}
svg .axis{fill:none;stroke:var(--dim)}svg .grid{stroke:var(--rule)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem}
th,td{padding:.25rem .7rem .25rem 0;text-align:left;border-bottom:1px solid var(--rule);
vertical-align:top}
blockquote{margin:.4rem 0;padding-left:.8rem;border-left:3px solid var(--rule)}
.bad{border-left:4px solid #c0392b}footer{margin-top:3rem;color:var(--dim);font-size:.85rem}
"""


def page(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    title = "Data mash report"
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{title}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{title}</h1>"
    across = report.across if report.across is not None and report.across.insights else None
    if len(report.files) > 1:
        yield "<nav><ul>"
        if across is not None:
            yield '<li><a href="#across">Across the files</a></li>'
        for number, file in enumerate(report.files, start=1):
            yield f'<li><a href="#file-{number}">{_safe(file.title)}</a></li>'
        yield "</ul></nav>"
    if across is not None:
        yield '<section id="across"><h2>Across the files</h2>'
        yield from _insights(across.insights, across.left_out)
        yield "</section>"
    for number, file in enumerate(report.files, start=1):
        yield f'<section id="file-{number}"><h2>{_safe(file.title)}</h2>'
        yield from _file(file)
        yield "</section>"
    made = f" Made at {_safe(report.made_at)}." if report.made_at else ""
    yield f"<footer>Every sentence is computed from the files.{made}</footer></body></html>"


def _file(file: FileReport) -> Iterator[str]:
    if file.error:
        hint = f"<p>What to do: {_safe(file.hint)}</p>" if file.hint else ""
        yield f'<article class="bad"><p><b>Not mashed.</b> {_safe(file.error)}</p>{hint}</article>'
    if file.insights is not None:
        yield from _insights(file.insights.insights, file.insights.left_out)
        for name, rows in column_rows(file.insights).items():
            yield f'<h3>Columns of {_safe(name)}</h3><div class="wide"><table><thead><tr>'
            yield "".join(f'<th scope="col">{heading}</th>' for heading in COLUMN_HEADINGS)
            yield "</tr></thead><tbody>"
            for row in rows:
                yield "<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row.cells) + "</tr>"
            yield "</tbody></table></div>"
            charted = [row for row in rows if row.facts.chart]
            if charted:
                yield "<details><summary>How the values are distributed</summary>"
                for row in charted:
                    yield f"<h3>{_safe(row.facts.name)}</h3>"
                    yield draw(row.facts.chart, label=f"distribution of {row.facts.name}")
                yield "</details>"
    if file.warnings:
        yield "<h3>How it was read</h3><ul>"
        yield from (f"<li>{_safe(warning)}</li>" for warning in file.warnings)
        yield "</ul>"


def _insights(insights: Sequence[Insight], more: int) -> Iterator[str]:
    for insight in insights:
        said = _safe(sentence(insight))
        if insight.kind in (InsightKind.OVERVIEW, InsightKind.NOTHING_UNUSUAL):
            yield f"<p>{said}</p>"
            continue
        yield f'<article><p class="kind">{kind(insight)}, {strength(insight)}</p><p>{said}</p>'
        for where in places(insight):
            yield f'<p class="place">{_safe(where)}</p>'
        if insight.chart:
            yield draw(insight.chart, label=sentence(insight))
        yield "</article>"
    if more:
        yield f"<p>{left_out(more)}</p>"


def _safe(text: str) -> str:
    """Text of a file or its name, without control characters, as HTML shows it."""
    return escape(clean(text))

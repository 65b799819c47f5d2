"""Whether search finds what answers a question: recall over the project's own documentation."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from foundations.public_works.parsing.artifacts import PASSAGES, read_passages
from foundations.public_works.parsing.models import ParseOptions
from foundations.public_works.parsing.reading import read
from foundations.public_works.search_modes import SearchMode
from smart_city.librarian.api import Librarian, SearchHit
from tests.benchmarks.retrieval.questions import OF_STRANGERS, QUESTIONS, Question
from tests.support.library import shelve
from tests.support.role_city import NORTH, RoleCity, as_user, role_city
from utilities.observability.logs import configure_logs

DOCS = Path(__file__).parents[3] / "docs"
AT = 5
LEAST = 0.85
PAGES = (
    "ARCHITECTURE_CURATOR_FOUNDATION.md", "ARCHITECTURE_OVERVIEW.md",
    "DATA_MASH_FLOW_HANDOFF_CONTRACTS.md", "DI_CONTAINER_INITIALIZATION_ORDER.md",
    "PLATFORM_ARCHITECTURE.md", "SMART_CITY_CONTENT_VS_DATA_STEWARD.md", "engine.md", "formats.md",
    "glossary.md", "insights.md", "journeys.md", "operations.md", "testing-journeys.md",
    "writing-a-realm.md",
)  # fmt: skip
"""The corpus, with the decisions up to number 15: pages that are written later change nothing."""
_LAST_DECISION = "0016"
Say = Callable[[str], None]


def measure(say: Say) -> dict[str, Any]:
    """Recall of each mode, over all questions."""
    configure_logs(level="ERROR")
    return asyncio.run(_measured(say))


async def _measured(say: Say) -> dict[str, Any]:
    async with library() as city:
        return await figures(city, say)


@asynccontextmanager
async def library() -> AsyncIterator[RoleCity]:
    """The roles of a city that knows the documentation."""
    with tempfile.TemporaryDirectory(prefix="civitas-retrieval-") as folder, as_user(NORTH):
        async with role_city(Path(folder)) as city:
            for page in pages():
                output = Path(folder) / "parsed" / page.name
                output.mkdir(parents=True)
                read(page, output, name=page.name, options=ParseOptions())
                passages = read_passages(output / PASSAGES)
                await shelve(city, page.stem.lower().replace(".", "-"), page.name, passages)
            yield city


def pages() -> list[Path]:
    """The files of the corpus."""
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    return [*(DOCS / page for page in PAGES), *(d for d in decisions if d.name < _LAST_DECISION)]


async def figures(city: RoleCity, say: Say) -> dict[str, Any]:
    """What the modes come to, and whether it is what is promised."""
    found = await asked(city, QUESTIONS)
    for mode, (recall, _) in found.items():
        say(f"{mode.value}: {recall:.3f}")
    strangers = await asked(city, OF_STRANGERS)
    recalls = {mode.value: round(recall, 4) for mode, (recall, _) in found.items()}
    hybrid = recalls[SearchMode.HYBRID.value]
    overall = {
        mode.value: round(
            (recall * len(QUESTIONS) + strangers[mode][0] * len(OF_STRANGERS))
            / (len(QUESTIONS) + len(OF_STRANGERS)),
            4,
        )
        for mode, (recall, _) in found.items()
    }
    return {
        "pages": len(pages()),
        "questions": len(QUESTIONS),
        "recall_at_5": recalls,
        "missed": {mode.value: missed for mode, (_, missed) in found.items()},
        "questions_of_strangers": len(OF_STRANGERS),
        "recall_at_5_of_strangers": {
            mode.value: round(recall, 4) for mode, (recall, _) in strangers.items()
        },
        "recall_at_5_of_all": overall,
        "passed": hybrid >= LEAST and overall[SearchMode.HYBRID.value] >= max(overall.values()),
    }


async def asked(
    city: RoleCity, questions: Sequence[Question]
) -> dict[SearchMode, tuple[float, list[str]]]:
    """By mode the share of questions that were answered, and those that were not."""
    librarian = city.get(Librarian)
    found: dict[SearchMode, tuple[float, list[str]]] = {}
    for mode in SearchMode:
        missed = [
            question.text
            for question in questions
            if not recalled(question, (await librarian.search(question.text, AT, mode)).hits)
        ]
        found[mode] = (1 - len(missed) / len(questions), missed)
    return found


def recalled(question: Question, found: Sequence[SearchHit]) -> bool:
    """Whether a section that answers the question is among the hits.

    A question may be answered in several places; a user needs one of them.
    """
    sections = {(hit.name, heading) for hit in found for heading in hit.place.headings[-1:]}
    return any(answer in sections for answer in question.answers)


def shown(found: dict[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """The figures as a table."""
    promised = f"at least {LEAST}, and of all no less than the others"
    rows = [
        [
            mode,
            promised if mode == SearchMode.HYBRID else "",
            f"{value:.3f}",
            f"{found['recall_at_5_of_strangers'][mode]:.3f}",
            f"{found['recall_at_5_of_all'][mode]:.3f}",
        ]
        for mode, value in found["recall_at_5"].items()
    ]
    asked_by = [
        f"recall@5 of {found['questions']} questions",
        f"of {found['questions_of_strangers']} of strangers",
        "of all",
    ]
    return [(["mode", "promised", *asked_by], rows)]

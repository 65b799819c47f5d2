"""The parts of the documents that are made from the city itself, so that they cannot go stale.

A document marks such a part with `<!-- generated: NAME -->` and `<!-- end -->`.
`python -m tests.support.diagrams` boots a city over a temporary folder and writes every part anew;
tests/architecture/test_docs.py asserts that this changes nothing.
"""

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from foundations.public_works.settings import Settings
from main import Platform
from tests.support import city_tables, journey_tables

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"(<!-- generated: (?P<name>[a-z-]+(?: [\w/.]+)?) -->\n).*?(<!-- end -->)", re.DOTALL
)

Maker = Callable[[Platform], Awaitable[str]]

MAKERS: Mapping[str, Maker] = {
    "stages": city_tables.stages,
    "services": city_tables.services,
    "rooms": city_tables.rooms,
    "roles": city_tables.roles,
    "realms": city_tables.realms,
    "ports": city_tables.ports,
    "apis": city_tables.apis,
    "routes": city_tables.routes,
    "commands": city_tables.commands,
    "settings": city_tables.settings,
    "error-kinds": city_tables.error_kinds,
    "import-contracts": city_tables.import_contracts,
    "policy-rules": city_tables.policy_rules,
    "journey-graph": journey_tables.graph,
    "journey-milestones": journey_tables.milestones,
    "journey-contracts": journey_tables.contracts,
    "journey-words": journey_tables.words,
    "journey-verbs": journey_tables.verbs,
}
"""Every block by name; `realm-file PATH` are there besides, one for each file of a new realm."""


def documents() -> list[Path]:
    """Every document of the project."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(text: str) -> list[str]:
    """The names of the generated blocks in a document."""
    return [found["name"] for found in BLOCK.finditer(text)]


def filled(text: str, blocks: Mapping[str, str]) -> str:
    """A document with every generated block as it should be."""
    return BLOCK.sub(
        lambda found: f"{found[1]}\n{blocks[found['name']].strip()}\n\n{found[3]}", text
    )


async def made_blocks(city: Platform) -> dict[str, str]:
    """Every block, from a running city."""
    return {name: await make(city) for name, make in MAKERS.items()} | city_tables.realm_files()


async def _write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with Platform(Settings(data_dir=Path(folder, "city"))) as city:
            blocks = await made_blocks(city)
    for document in documents():
        old = document.read_text("utf-8")
        new = filled(old, blocks)
        if new != old:
            document.write_text(new, "utf-8")
            print(f"wrote {document.relative_to(ROOT)}")  # noqa: T201 - it is a command


if __name__ == "__main__":
    asyncio.run(_write())

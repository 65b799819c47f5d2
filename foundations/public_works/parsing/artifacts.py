"""What a file that was read leaves beside its tables: passages and entities, one a line."""

from pathlib import Path

from foundations.public_works.parsing.models import Passage, passages_in

PASSAGES = "passages.jsonl"
ENTITIES = "entities.jsonl"


def write_passages(output: Path, passages: list[Passage]) -> None:
    """One passage a line, as JSON."""
    with (output / PASSAGES).open("w", encoding="utf-8") as file:
        file.writelines(passage.model_dump_json() + "\n" for passage in passages)


def read_passages(path: Path) -> list[Passage]:
    """The passages in an artifact."""
    return passages_in(path.read_bytes())

"""A command of a realm in a package of its own."""

from typing import Annotated

import typer

from foundations.experience.invocation import Invocation
from foundations.experience.need import Need

app = typer.Typer(name="letters", help="Letters in words.")


@app.callback()
def group() -> None:
    """Letters in words."""


@app.command()
def count(
    context: typer.Context, word: Annotated[str, typer.Argument()], letter: str = "e"
) -> None:
    """How often a letter occurs in a word."""
    invocation = Invocation.of(context)
    asked = {"word": word, "letter": letter}
    found = invocation.ask("LetterService", "count_letter", asked, need=Need.NOTHING)
    invocation.terminal.say(str(found["occurrences"]))

"""Commands that search what is known."""

from typing import Annotated, Any

import typer

from foundations.experience.invocation import AsJson, DataDir, Invocation
from smart_city.librarian.api import SearchMode

app = typer.Typer()

SERVICE = "LibrarianService"


@app.command()
def search(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="Plain text; nothing in it is syntax.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many passages.")] = 10,
    mode: Annotated[
        SearchMode, typer.Option(help="By words, by meaning, or by both.")
    ] = SearchMode.HYBRID,
    file: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="In this file only; may be repeated.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="table, text, or a format such as pdf.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="Indexed then or later.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Indexed before.")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Find passages in all files that were mashed, best first."""
    invocation = Invocation.of(context)
    only: dict[str, Any] = {"files": file or [], "kinds": kind or []}
    only |= {name: at for name, at in (("since", since), ("until", until)) if at}
    asked = {"q": question, "limit": limit, "mode": mode.value, "only": only}
    found = invocation.ask(SERVICE, "search", asked, data_dir=data_dir)
    if as_json:
        invocation.terminal.json(found)
        return
    for hit in found["hits"]:
        by = " and ".join(hit["found_by"])
        invocation.terminal.say(f"{hit['name']}, {hit['place']['label']}  (by {by})")
        invocation.terminal.say(f"  {marked(hit['snippet'], hit['highlights'])}")
    if not found["hits"]:
        invocation.terminal.say("nothing is found")
    if found["note"]:
        invocation.terminal.note(found["note"])


def marked(snippet: str, highlights: list[dict[str, int]]) -> str:
    """A snippet with the words that hit between asterisks."""
    shown, at = "", 0
    for span in highlights:
        shown += f"{snippet[at : span['start']]}*{snippet[span['start'] : span['end']]}*"
        at = span["end"]
    return shown + snippet[at:]

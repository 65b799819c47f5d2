"""Commands that search what is known."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from foundations.experience.invocation import AsJson, DataDir, Invocation
from foundations.experience.need import Need
from foundations.public_works.search_modes import SearchMode

if TYPE_CHECKING:
    from foundations.experience.client import CityClient
    from foundations.public_works.settings import Settings

app = typer.Typer()

SERVICE = "LibrarianService"
INDEX = "ContentIndexAbstraction"


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


@app.command()
def reindex(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Embed all content by the embedder that the settings name, then let search stand on it.

    Search answers by the old one meanwhile. Broken off, the same command goes on where it was.
    """
    invocation = Invocation.of(context)

    async def all_of_it(client: "CityClient", _settings: "Settings") -> dict[str, Any]:
        with invocation.terminal.progress() as bar:
            while True:
                found = await client.call(INDEX, "reindex", {"most": 1_000})
                bar.show(found["done"], max(1, found["passages"]), found["wanted"])
                if found["current"]:
                    return found

    found = invocation.with_city(all_of_it, data_dir=data_dir, need=Need.READING)
    if as_json:
        invocation.terminal.json(found)
    else:
        invocation.terminal.say(f"{found['done']} passages are indexed by {found['wanted']}")


def marked(snippet: str, highlights: list[dict[str, int]]) -> str:
    """A snippet with the words that hit between asterisks."""
    shown, at = "", 0
    for span in highlights:
        shown += f"{snippet[at : span['start']]}*{snippet[span['start'] : span['end']]}*"
        at = span["end"]
    return shown + snippet[at:]

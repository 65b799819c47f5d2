"""`convert FILE_ID --to FORMAT`: a table as another format, where nothing is lost."""

from typing import Annotated, Literal

import typer

from foundations.experience.invocation import AsJson, DataDir, Invocation
from foundations.experience.need import Need

SERVICE = "ContentAnalysisOrchestrator"

app = typer.Typer()


@app.command("convert")
def convert(
    context: typer.Context,
    file_id: Annotated[str, typer.Argument(metavar="FILE_ID", help="A CSV, TSV, Parquet, NDJSON.")],
    to: Annotated[Literal["csv", "tsv", "parquet", "ndjson"], typer.Option("--to")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Store a table as a new file of another format; refused where something would be lost."""
    invocation = Invocation.of(context)
    asked = {"file_id": file_id, "to": to}
    found = invocation.ask(SERVICE, "convert_file", asked, data_dir=data_dir, need=Need.WORKING)
    if as_json:
        invocation.terminal.json(found)
    else:
        made = found["file"]
        invocation.terminal.say(f"{made['name']} is {made['file_id']}, {made['size']:,} bytes")

"""LangGraph: a graph of four nodes with the SQLite saver, each checkpoint before the next node."""

import sqlite3
from importlib.metadata import version
from typing import Any, TypedDict

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from tests.benchmarks.journeys import meter


class State(TypedDict):
    """What goes from node to node."""

    n: int
    text: str


def graph_of_four(counted: meter.Meter) -> Any:
    """Four nodes in a line, each giving the next its result."""

    def node(number: int) -> Any:
        async def work(state: State) -> State:
            counted.begun(number)
            return {"n": state["n"] + 1, "text": state["text"]}

        return work

    graph = StateGraph(State)
    names = [f"step_{number}" for number in range(meter.MILESTONES)]
    for number, name in enumerate(names):
        graph.add_node(name, node(number))
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return graph


async def measured(asked: meter.Asked) -> dict[str, Any]:
    counted = meter.Meter(asked.in_flight, asked.seconds)
    async with aiosqlite.connect(asked.folder / "langgraph.sqlite3") as connection:
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        await connection.execute("PRAGMA synchronous=FULL")
        journal_mode = await _one(connection, "PRAGMA journal_mode")
        synchronous = await _one(connection, "PRAGMA synchronous")
        graph = graph_of_four(counted).compile(checkpointer=saver)

        async def one(number: int) -> None:
            thread = {"configurable": {"thread_id": f"{number:08}"}}
            result = await graph.ainvoke({"n": 0, "text": meter.TEXT}, thread, durability="sync")
            assert result["n"] == meter.MILESTONES

        figures = await counted.drive(one)
        last = "SELECT count(*) FROM checkpoints WHERE json_extract(metadata, '$.step') = ?"
        meter.check_stored(await _one(connection, last, meter.MILESTONES), counted.runs)
    figures["settings"] = {
        "version": version("langgraph"),
        "saver": version("langgraph-checkpoint-sqlite"),
        "sqlite": sqlite3.sqlite_version,
        "driver": "aiosqlite",
        "journal_mode": journal_mode,
        "synchronous": {1: "normal", 2: "full", 3: "extra"}[synchronous],
        "fsync": True,
        "loop": meter.loop_name(),
        "note": 'durability="sync": the checkpoint of a node is written before the next begins',
    }
    return figures


async def _one(connection: aiosqlite.Connection, statement: str, *values: Any) -> Any:
    async with connection.execute(statement, values) as found:
        row = await found.fetchone()
    assert row is not None
    return row[0]


if __name__ == "__main__":
    meter.run(measured(meter.Asked.from_command_line()))

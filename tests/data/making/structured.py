"""JSON and NDJSON of several shapes, Parquet with flat and with nested columns."""

import datetime as dt
import io
import json
from decimal import Decimal
from random import Random
from typing import Any

from tests.data.making.made import Made, Truth, table

JSON = "application/json"
NDJSON = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"


def files() -> dict[str, Made]:
    return {
        "grid.json": grid(),
        "split.json": split(),
        "answer.json": answer(),
        "peaks.geojson": peaks(),
        "orders.json": orders(),
        "events.ndjson": events(),
        "broken-lines.jsonl": broken_lines(),
        "readings.parquet": readings(),
        "nested.parquet": nested(),
    }


def written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def truth(media: str, *tables: Truth, **more: Any) -> Truth:
    return {"kind": "table", "media_type": media, "tables": list(tables), **more}


def grid() -> Made:
    """An array of arrays whose first names the columns."""
    rows: list[list[Any]] = [[n, n * n, f"{n:b}"] for n in range(2, 14)]
    types = {"n": "integer", "square": "integer", "binary": "integer"}
    known = [[n, s, int(b)] for n, s, b in rows]
    return Made(written([list(types), *rows]), truth(JSON, table("grid", types, known)))


def split() -> Made:
    """Names and rows apart, as pandas writes `orient="split"`."""
    draw = Random(11)
    rows: list[list[Any]] = [[f"probe {n}", round(draw.uniform(4, 9), 2)] for n in range(30)]
    types = {"probe": "text", "ph": "number"}
    return Made(
        written({"columns": list(types), "data": rows}), truth(JSON, table("data", types, rows))
    )


def answer() -> Made:
    """What a web service answers: the records stand some levels down."""
    rows: list[list[Any]] = [[n, ["open", "closed"][n % 2], 10.5 * n] for n in range(1, 13)]
    records = [{"id": n, "state": s, "cost": {"euros": e}} for n, s, e in rows]
    types = {"id": "integer", "state": "text", "cost.euros": "number"}
    value = {"version": 2, "result": {"page": 1, "tickets": records}}
    return Made(
        written(value),
        truth(JSON, table("result.tickets", types, rows), metadata={"version": 2}),
    )


def peaks() -> Made:
    """GeoJSON. Heights in metres, places to two decimals."""
    known = [
        ["Mont Blanc", 4806, 6.87, 45.83],
        ["Dufourspitze", 4634, 7.87, 45.94],
        ["Matterhorn", 4478, 7.66, 45.98],
        ["Grossglockner", 3798, 12.69, 47.07],
        ["Zugspitze", 2962, 10.99, 47.42],
    ]
    features = [
        {
            "type": "Feature",
            "properties": {"name": name, "metres": metres},
            "geometry": {"type": "Point", "coordinates": [east, north]},
        }
        for name, metres, east, north in known
    ]
    rows: list[list[Any]] = [
        ["Feature", name, metres, "Point", f"[{east},{north}]"]
        for name, metres, east, north in known
    ]
    types = {
        "type": "text",
        "properties.name": "text",
        "properties.metres": "integer",
        "geometry.type": "text",
        "geometry.coordinates": "text",
    }
    return Made(
        written({"type": "FeatureCollection", "features": features}),
        truth(JSON, table("features", types, rows), warnings=["name_mismatch"]),
    )


def orders() -> Made:
    """Two lists of records that share a key."""
    customers: list[list[Any]] = [[f"C{n}", ["Oslo", "Rome", "Lima"][n % 3]] for n in range(6)]
    bought: list[list[Any]] = [[n, f"C{n % 6}", round(9.99 + n * 1.01, 2)] for n in range(40)]
    value = {
        "customers": [{"key": k, "town": t} for k, t in customers],
        "orders": [{"number": n, "customer": c, "total": t} for n, c, t in bought],
    }
    return Made(
        written(value),
        truth(
            JSON,
            table("customers", {"key": "text", "town": "text"}, customers),
            table("orders", {"number": "integer", "customer": "text", "total": "number"}, bought),
        ),
    )


def events() -> Made:
    start = dt.datetime(2026, 5, 1, 6, tzinfo=dt.UTC)
    draw = Random(12)
    rows: list[list[Any]] = [
        [start + dt.timedelta(minutes=7 * n), draw.choice(["in", "out"]), draw.randint(1, 4)]
        for n in range(150)
    ]
    lines = [
        json.dumps({"at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "door": door, "people": people})
        for at, door, people in rows
    ]
    known = [[f"{at:%Y-%m-%d %H:%M:%S}Z", door, people] for at, door, people in rows]
    types = {"at": "datetime", "door": "text", "people": "integer"}
    return Made("\n".join(lines).encode() + b"\n", truth(NDJSON, table("events", types, known)))


def broken_lines() -> Made:
    """One line of five is cut off: it is left out, and told."""
    lines = ['{"n": 1}', '{"n": 2}', '{"n": ', '{"n": 4}', '{"n": 5}']
    return Made(
        "\n".join(lines).encode(),
        truth(
            NDJSON,
            table("broken-lines", {"n": "integer"}, [[1], [2], [4], [5]]),
            warnings=["broken_line"],
        ),
    )


def readings() -> Made:
    import polars as pl

    draw = Random(13)
    rows: list[list[Any]] = [
        [
            dt.date(2025, 1, 1) + dt.timedelta(days=n),
            ["upper", "lower"][n % 2],
            None if n % 50 == 7 else round(draw.gauss(11, 3), 3),
            draw.randint(0, 1) == 1,
        ]
        for n in range(400)
    ]
    types = {"day": "date", "gauge": "text", "level": "number", "frozen": "boolean"}
    frame = pl.DataFrame(rows, schema=list(types), orient="row")
    out = io.BytesIO()
    frame.write_parquet(out, compression="zstd")
    return Made(
        out.getvalue(),
        truth(PARQUET, table("readings", types, rows), metadata={"rows": 400}),
        plain=False,
    )


def nested() -> Made:
    """Lists, structs, decimals, times of another zone and bytes, each as the plainest it can be."""
    import polars as pl

    at = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    frame = pl.DataFrame(
        {
            "tags": [["a", "b"], [], None],
            "size": [{"x": 1, "y": 2}, {"x": 3, "y": 4}, None],
            "price": [Decimal("1.25"), Decimal("2.50"), None],
            "at": pl.Series([at, at, at]).dt.convert_time_zone("Europe/Paris"),
            "raw": [b"\x00\x01", b"\xff", None],
        }
    )
    out = io.BytesIO()
    frame.write_parquet(out, compression="snappy")
    rows: list[list[Any]] = [
        ['["a","b"]', '{"x":1,"y":2}', 1.25, "2026-01-01 12:00:00Z", "0001"],
        ["[]", '{"x":3,"y":4}', 2.5, "2026-01-01 12:00:00Z", "ff"],
        [None, None, None, "2026-01-01 12:00:00Z", None],
    ]
    types = {"tags": "text", "size": "text", "price": "number", "at": "datetime", "raw": "text"}
    return Made(out.getvalue(), truth(PARQUET, table("nested", types, rows)), plain=False)

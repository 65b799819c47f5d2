"""CSV and TSV as programs of several countries and decades write them."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from tests.data.making.made import Made, Truth, table

CSV = "text/csv"
TSV = "text/tab-separated-values"


def files() -> dict[str, Made]:
    return {
        "rainfall-de.csv": rainfall(),
        "invoices-excel.csv": invoices(),
        "tides.tsv": tides(),
        "rivers-cp1251.csv": rivers(),
        "islands-sjis.csv": islands(),
        "moons-utf16.csv": moons(),
        "headerless.csv": headerless(),
        "quotations.csv": quotations(),
        "ragged.csv": ragged(),
        "beds-pipe.csv": beds(),
        "passes-ch.csv": passes(),
        "codes.csv": codes(),
        "formulas.csv": formulas(),
        "large.csv": large(),
    }


def written(
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    delimiter: str = ",",
    end: str = "\n",
    before: str = "",
    quoting: Any = csv.QUOTE_MINIMAL,
) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    if header:
        writer.writerow(header)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return before + out.getvalue()


def truth(media: str, encoding: str, made: Truth, **more: Any) -> Truth:
    return {"kind": "table", "media_type": media, "encoding": encoding, "tables": [made], **more}


def comma(value: float | None, places: int = 1) -> str:
    return "" if value is None else f"{value:,.{places}f}".translate(str.maketrans(",.", ".,"))


def rainfall() -> Made:
    """Semicolons, decimal commas, umlauts in Windows-1252, as a German Excel saves CSV."""
    draw = Random(1)
    places = ["Köln", "Münster", "Görlitz", "Füssen"]
    rows: list[list[Any]] = []
    for month in range(1, 13):
        for place in places:
            rain: float | None = round(draw.uniform(20, 1400), 1)
            if month == 2 and place == "Füssen":
                rain = None
            rows.append([place, dt.date(2025, month, 1), rain, draw.randint(3, 25)])
    shown = [[p, d.strftime("%d.%m.%Y"), comma(r), n] for p, d, r, n in rows]
    header = ["Ort", "Monat", "Niederschlag (mm)", "Regentage"]
    text = written(header, shown, delimiter=";", end="\r\n")
    types = dict(zip(header, ["text", "date", "number", "integer"], strict=True))
    return Made(
        text.encode("cp1252"),
        truth(
            CSV,
            "cp1252",
            table("rainfall-de", types, rows),
            metadata={"delimiter": ";", "decimal_mark": ","},
        ),
    )


def invoices() -> Made:
    """Excel's own `sep=;` line, a byte order mark, and a column whose thousands have points."""
    rows: list[list[Any]] = [
        [1000 + n, dt.date(2026, 1, 1 + n), 950.25 + 1111.5 * n, 1200 * n + 1100] for n in range(9)
    ]
    shown = [
        [number, day.strftime("%d.%m.%Y"), comma(net, 2), f"{stock:,}".replace(",", ".")]
        for number, day, net, stock in rows
    ]
    header = ["number", "day", "net", "stock"]
    text = written(header, shown, delimiter=";", end="\r\n", before="sep=;\r\n")
    types = dict(zip(header, ["integer", "date", "number", "integer"], strict=True))
    return Made(
        text.encode("utf-8-sig"),
        truth(CSV, "utf-8-sig", table("invoices-excel", types, rows), metadata={"delimiter": ";"}),
    )


def tides() -> Made:
    draw = Random(2)
    start = dt.datetime.fromisoformat("2026-03-01T04:12")
    rows: list[list[Any]] = [
        [
            start + dt.timedelta(minutes=745 * n),
            "high" if n % 2 else "low",
            round(draw.uniform(0.2, 6.1), 2),
        ]
        for n in range(80)
    ]
    header = ["time", "tide", "metres"]
    text = written(header, [[f"{t:%Y-%m-%d %H:%M}", k, m] for t, k, m in rows], delimiter="\t")
    types = dict(zip(header, ["datetime", "text", "number"], strict=True))
    return Made(
        text.encode(),
        truth(TSV, "utf-8", table("tides", types, rows), metadata={"delimiter": "tab"}),
    )


def rivers() -> Made:
    """Cyrillic letters in Windows-1251, as older Russian programs write them."""
    rows: list[list[Any]] = [
        ["Волга", "Каспийское море", 3530],
        ["Енисей", "Карское море", 3487],
        ["Лена", "море Лаптевых", 4294],
        ["Обь", "Карское море", 3650],
        ["Амур", "Охотское море", 2824],
        ["Дон", "Азовское море", 1870],
        ["Печора", "Баренцево море", 1809],
    ]
    header = ["река", "впадает в", "длина км"]
    text = written(header, rows, delimiter=";", end="\r\n")
    types = dict(zip(header, ["text", "text", "integer"], strict=True))
    return Made(text.encode("cp1251"), truth(CSV, "cp1251", table("rivers-cp1251", types, rows)))


def islands() -> Made:
    """Japanese in Shift JIS. Areas in square kilometres, rounded."""
    rows: list[list[Any]] = [
        ["本州", "ほんしゅう", 227939],
        ["北海道", "ほっかいどう", 77982],
        ["九州", "きゅうしゅう", 36782],
        ["四国", "しこく", 18297],
        ["択捉島", "えとろふとう", 3167],
        ["国後島", "くなしりとう", 1489],
        ["沖縄本島", "おきなわほんとう", 1209],
    ]
    header = ["島の名前", "読み方", "面積"]
    text = written(header, rows)
    types = dict(zip(header, ["text", "text", "integer"], strict=True))
    return Made(
        text.encode("shift_jis"), truth(CSV, "shift_jis", table("islands-sjis", types, rows))
    )


def moons() -> Made:
    rows: list[list[Any]] = [
        ["Io", "Jupiter", 1821.6],
        ["Europa", "Jupiter", 1560.8],
        ["Ganymede", "Jupiter", 2634.1],
        ["Callisto", "Jupiter", 2410.3],
        ["Titan", "Saturn", 2574.7],
        ["Triton", "Neptune", 1353.4],
        ["Moon", "Earth", 1737.4],
    ]
    header = ["moon", "planet", "radius_km"]
    types = dict(zip(header, ["text", "text", "number"], strict=True))
    return Made(
        written(header, rows, delimiter=",", end="\r\n").encode("utf-16"),
        truth(CSV, "utf-16", table("moons-utf16", types, rows)),
    )


def headerless() -> Made:
    draw = Random(3)
    rows: list[list[Any]] = [
        [n, round(draw.gauss(20, 2), 3), draw.randint(0, 9)] for n in range(1, 61)
    ]
    types = {"column_1": "integer", "column_2": "number", "column_3": "integer"}
    return Made(
        written([], rows).encode(),
        truth(
            CSV, "utf-8", table("headerless", types, rows), notes=["columns are called column_N"]
        ),
    )


def quotations() -> Made:
    """Cells with delimiters, line ends and doubled quotes in them."""
    rows: list[list[Any]] = [
        ["Hamlet", "To be, or not to be:\nthat is the question", 1603],
        ["Macbeth", 'Out, out, brief candle!\nLife\'s but a "walking shadow"', 1606],
        ["The Tempest", "We are such stuff\nAs dreams are made on", 1611],
        ["Twelfth Night", "If music be the food of love, play on", 1602],
        ["Julius Caesar", "Cowards die many times before their deaths", 1599],
    ]
    header = ["play", "line", "about"]
    types = dict(zip(header, ["text", "text", "integer"], strict=True))
    text = written(header, rows, end="\r\n", quoting=csv.QUOTE_ALL)
    return Made(text.encode(), truth(CSV, "utf-8", table("quotations", types, rows)))


def ragged() -> Made:
    """Rows too short and too long, a repeated name, a name that is missing."""
    lines = ["id,size,size,", "1,2,3,x", "2,5", "3,8,9,y,z,extra", "4,11,12,w", "", "5,14,15,v"]
    kept: list[list[Any]] = [[1, 2, 3, "x"], [2, 5, None, None], [4, 11, 12, "w"], [5, 14, 15, "v"]]
    types = {"id": "integer", "size": "integer", "size_2": "integer", "column_4": "text"}
    return Made(
        "\n".join(lines).encode(),
        truth(
            CSV,
            "utf-8",
            table("ragged", types, kept),
            warnings=["repeated_header", "nameless_header", "short_row", "long_row"],
        ),
    )


def beds() -> Made:
    rows: list[list[Any]] = [
        ["north", "beans", 12.5, "yes"],
        ["north", "leeks", 8.0, "no"],
        ["south", "kale", 15.25, "yes"],
        ["south", "beets", 6.75, "yes"],
        ["east", "chard", 9.5, "no"],
        ["west", "peas", 11.0, "yes"],
    ]
    header = ["bed", "crop", "square_metres", "watered"]
    types = dict(zip(header, ["text", "text", "number", "boolean"], strict=True))
    return Made(
        written(header, rows, delimiter="|").encode(),
        truth(CSV, "utf-8", table("beds-pipe", types, rows), metadata={"delimiter": "|"}),
    )


def passes() -> Made:
    """Apostrophes between thousands, as in Switzerland. Heights in metres."""
    rows: list[list[Any]] = [
        ["Furka", 2429, 12345.5],
        ["Grimsel", 2164, 9870.25],
        ["Susten", 2224, 1010.75],
        ["Gotthard", 2106, 101112.0],
        ["Albula", 2312, 950.5],
    ]
    header = ["pass", "metres", "vehicles a month"]
    shown = [[n, f"{m:,}".replace(",", "'"), f"{v:,.2f}".replace(",", "'")] for n, m, v in rows]
    types = dict(zip(header, ["text", "integer", "number"], strict=True))
    return Made(
        written(header, shown, delimiter=";").encode(),
        truth(CSV, "utf-8", table("passes-ch", types, rows)),
    )


def codes() -> Made:
    """Codes with leading zeros, which are no numbers, and words for what is missing."""
    rows: list[list[Any]] = [
        [f"{n:05}", None if n % 4 == 0 else n * 1.5, dt.date(2026, 2, n) if n % 5 else None]
        for n in range(1, 21)
    ]
    shown = [[c, "NA" if a is None else a, "n/a" if d is None else d] for c, a, d in rows]
    types = {"code": "text", "amount": "number", "day": "date"}
    return Made(
        written(list(types), shown).encode(),
        truth(CSV, "utf-8", table("codes", types, rows), warnings=["missing_words"]),
    )


def formulas() -> Made:
    """Cells a spreadsheet program would run (U19): they stay the text they are."""
    rows: list[list[Any]] = [
        ["a", '=HYPERLINK("http://example.org","x")'],
        ["b", "@SUM(1+1)"],
        ["c", "+cmd"],
        ["d", "-2+3"],
        ["e", "plain"],
    ]
    types = {"key": "text", "cell": "text"}
    return Made(
        written(list(types), rows).encode(), truth(CSV, "utf-8", table("formulas", types, rows))
    )


def large() -> Made:
    """Some thousand rows of a walk, drawn at random, in which one row repeats another."""
    draw = Random(4)
    rows: list[list[Any]] = []
    height = 500.0
    for n in range(8_000):
        height = round(height + draw.gauss(0, 2), 2)
        rows.append([n, height, draw.choice("abcd")])
    rows.append(rows[-1])
    types = {"step": "integer", "height": "number", "leg": "text"}
    return Made(
        written(list(types), rows).encode(),
        truth(CSV, "utf-8", table("large", types, rows), duplicate_rows=1),
    )

"""Charts of insights as Vega-Lite specifications that carry their data."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from foundations.public_works.parsing.insights.numerics.effects import Numbers
from foundations.public_works.parsing.profiles import scalar

Chart = dict[str, Any]
Record = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
MOST_POINTS = 160
MOST_BARS = 20
_BINS = 24
_STEADY = 20250101


def histogram(values: Numbers, title: str) -> Chart:
    """How often values lie where; counts of equal bins. Empty where floats are too coarse for bins.

    So are those of 1e17 and 1e17 + 16, and of 1e308 and -1e308, between which lies no number.
    """
    if not len(values):
        return {}
    distinct = len(np.unique(values[:10_000]))
    low, high = float(values.min()), float(values.max())
    ends = (low, high) if low < high else (low - 0.5, high + 0.5)
    edges = np.linspace(*ends, min(_BINS, max(4, distinct)) + 1)
    if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        return {}
    counts, edges = np.histogram(values, bins=len(edges) - 1, range=ends)
    bins = [
        {"from": shown(low), "to": shown(high), "rows": int(count)}
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    return _chart(
        bins,
        mark={"type": "bar"},
        encoding={
            "x": {"field": "from", "type": "quantitative", "bin": {"binned": True}, "title": title},
            "x2": {"field": "to"},
            "y": {"field": "rows", "type": "quantitative", "title": "rows"},
        },
    )


def points(x: Numbers, y: Numbers, names: tuple[str, str], *, marked: Sequence[int] = ()) -> Chart:
    """One mark for each row, at most `MOST_POINTS` of them drawn by lot; `marked` places always."""
    finite = np.isfinite(x) & np.isfinite(y)
    places = np.flatnonzero(finite)
    if len(places) > MOST_POINTS:
        places = np.sort(np.random.default_rng(_STEADY).choice(places, MOST_POINTS, replace=False))
    special = {int(place) for place in marked}
    data = [
        {"x": shown(x[place]), "y": shown(y[place]), "row": int(place) + 1}
        for place in places
        if int(place) not in special
    ]
    red = [{"x": shown(x[p]), "y": shown(y[p]), "row": int(p) + 1} for p in sorted(special)]
    encoding = {
        "x": _quantity("x", names[0]),
        "y": _quantity("y", names[1]),
    }
    plain = {"data": {"values": data}, "mark": {"type": "point"}, "encoding": encoding}
    if not red:
        return {"$schema": SCHEMA, **plain}
    special_layer = {
        "data": {"values": red},
        "mark": {"type": "point", "color": "#c0392b", "filled": True},
        "encoding": encoding,
    }
    return {"$schema": SCHEMA, "layer": [plain, special_layer]}


def bars(labels: Sequence[str], heights: Sequence[float], names: tuple[str, str]) -> Chart:
    """A bar for each label, in the order given, at most `MOST_BARS`."""
    data = [
        {"label": label, "value": shown(height)}
        for label, height in zip(labels[:MOST_BARS], heights[:MOST_BARS], strict=True)
    ]
    return _chart(
        data,
        mark={"type": "bar"},
        encoding={
            "y": {"field": "label", "type": "nominal", "sort": None, "title": names[0]},
            "x": _quantity("value", names[1], zero=True),
        },
    )


def squares(
    rows: Sequence[str],
    columns: Sequence[str],
    shares: Sequence[Sequence[float]],
    names: Sequence[str],
) -> Chart:
    """A square for each pair of labels, the darker the larger the share."""
    data = [
        {"row": row, "column": column, "share": shown(shares[i][j])}
        for i, row in enumerate(rows[:MOST_BARS])
        for j, column in enumerate(columns[:MOST_BARS])
    ]
    return _chart(
        data,
        mark={"type": "rect"},
        encoding={
            "y": {"field": "row", "type": "nominal", "sort": None, "title": names[0]},
            "x": {"field": "column", "type": "nominal", "sort": None, "title": names[1]},
            "color": _quantity("share", names[2], zero=True),
        },
    )


def line(
    times: Sequence[object],
    values: Numbers,
    names: tuple[str, str],
    *,
    fit: Numbers | None = None,
    at: object = None,
) -> Chart:
    """A line over time, with a fitted line and a moment marked where they are given."""
    step = max(1, math.ceil(len(times) / MOST_POINTS))
    places = range(0, len(times), step)
    kind = "quantitative" if isinstance(times[0], int | float) else "temporal"
    across = {"field": "time", "type": kind, "title": names[0]}

    def layer(series: Numbers, **mark: Any) -> Chart:
        data = [{"time": moment(times[p]), "value": shown(series[p])} for p in places]
        encoding = {"x": across, "y": _quantity("value", names[1])}
        return {
            "data": {"values": data},
            "mark": {"type": "line", **mark},
            "encoding": encoding,
        }

    layers = [layer(values)]
    if fit is not None:
        layers.append(layer(fit, color="#c0392b"))
    if at is not None:
        data = [{"time": moment(at)}]
        rule = {"type": "rule", "color": "#c0392b"}
        layers.append({"data": {"values": data}, "mark": rule, "encoding": {"x": across}})
    return {"$schema": SCHEMA, "layer": layers}


def shown(value: float) -> float | int | None:
    """A number for a chart: six significant digits are more than anybody sees."""
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number == int(number) and abs(number) < 1e15 else float(f"{number:.6g}")


def moment(value: object) -> object:
    """A time for a chart, as ISO 8601."""
    if isinstance(value, int | float):
        return value
    return str(scalar(value)).replace(" ", "T")


def _quantity(field: str, title: str, *, zero: bool = False) -> Chart:
    return {"field": field, "type": "quantitative", "title": title, "scale": {"zero": zero}}


def _chart(data: list[Record], *, mark: Chart, encoding: Chart) -> Chart:
    return {"$schema": SCHEMA, "data": {"values": data}, "mark": mark, "encoding": encoding}

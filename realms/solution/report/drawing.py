"""Draws the charts of insights as SVG, from that part of Vega-Lite which they are written in.

Marks: bar, point, line, rule and rect. Scales: quantitative, temporal and nominal. Data stand in
the specification. What is asked for beyond that is refused, not drawn wrongly.
"""

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from foundations.experience.terminal import clean
from utilities.errors import ErrorKind, PlatformError

WIDTH, HEIGHT = 520, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 8, 40
_NAMES = 130
_TICKS = 5
_LEAST_SPAN = 1e-300
"""What is nearer together is one value: no step between marks would be left."""
_BAND = 22
_LABEL = 20
_COLOUR = "var(--mark, #2f6db3)"

Spec = dict[str, Any]
Scale = Callable[[Any], float]


class UnknownChart(PlatformError):
    """The specification asks for what this program does not draw."""

    kind = ErrorKind.UNSUPPORTED


@dataclass(frozen=True, slots=True)
class _Axis:
    """A scale with its marks: position and text of each."""

    scale: Scale
    ticks: tuple[tuple[float, str], ...]
    title: str
    band: float = 0.0


def draw(spec: Spec, *, label: str) -> str:
    """The SVG element of a chart; `label` is what it shows, for those who cannot see it.

    Raises:
        UnknownChart: a mark or a type of scale is not among those above.
    """
    layers = [_with_data(layer, spec) for layer in spec.get("layer", [spec])]
    nominal = layers[0]["encoding"].get("y", {}).get("type") == "nominal"
    left = _NAMES if nominal else _LEFT
    bands = len(_labels(layers, "y")) if nominal else 0
    height = max(80, _TOP + _BOTTOM + bands * _BAND) if nominal else HEIGHT
    x = _axis(layers, "x", left, WIDTH - _RIGHT)
    y = _axis(layers, "y", height - _BOTTOM, _TOP)
    marks = "".join(_marks(layer, x, y) for layer in layers)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{_text(label)}">'
        f"{_frame(x, y, left, height)}{marks}</svg>"
    )


def _with_data(layer: Spec, spec: Spec) -> Spec:
    data = layer.get("data") or spec.get("data") or {}
    return {**layer, "values": data.get("values", [])}


def _axis(layers: Sequence[Spec], channel: str, start: float, end: float) -> _Axis:
    encoding = next(
        (layer["encoding"][channel] for layer in layers if channel in layer["encoding"]), None
    )
    if encoding is None:
        return _Axis(lambda _value: (start + end) / 2, (), "")
    title = str(encoding.get("title", ""))
    match encoding["type"]:
        case "nominal":
            return _bands(_labels(layers, channel), start, end, title)
        case "quantitative":
            numbers = _numbers(layers, channel, float)
            return _linear(numbers, start, end, title, zero=_from_zero(encoding, channel))
        case "temporal":
            return _temporal(_numbers(layers, channel, seconds), start, end, title)
        case other:
            raise UnknownChart(f"no scale of type {other!r} is drawn")


def _from_zero(encoding: Spec, channel: str) -> bool:
    scale = encoding.get("scale", {})
    return bool(scale.get("zero", channel == "y"))


def _labels(layers: Sequence[Spec], channel: str) -> list[str]:
    field = layers[0]["encoding"][channel]["field"]
    return list(dict.fromkeys(str(row[field]) for layer in layers for row in layer["values"]))


def _numbers(layers: Sequence[Spec], channel: str, number: Callable[[Any], float]) -> list[float]:
    found = []
    for layer in layers:
        for name in (channel, f"{channel}2"):
            field = layer["encoding"].get(name, {}).get("field")
            found += [
                number(row[field])
                for row in layer["values"]
                if field is not None and row.get(field) is not None
            ]
    return found


def _linear(numbers: list[float], start: float, end: float, title: str, *, zero: bool) -> _Axis:
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < _LEAST_SPAN:
        low, high = low - 0.5, high + 0.5
    step = _round_step((high - low) / _TICKS)
    first = math.ceil(low / step - 1e-9)
    values = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]

    def scale(value: Any) -> float:
        return start + (float(value) - low) / (high - low) * (end - start)

    return _Axis(scale, tuple((scale(v), _number(v, step)) for v in values), title)


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return power * next(nice for nice in (1, 2, 5, 10) if nice * power >= step * 0.999)


def _number(value: float, step: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1e6 or step < 1e-3:
        return f"{value:.3g}"
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def _temporal(numbers: list[float], start: float, end: float, title: str) -> _Axis:
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    span = (high - low) or 1.0
    shown = "%Y-%m-%d" if span >= 4 * 86_400 else "%m-%d %H:%M"

    def scale(value: Any) -> float:
        return start + (seconds(value) - low) / span * (end - start)

    ticks = []
    for k in range(4):
        at = low + span * k / 3
        moment = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(seconds=at)
        ticks.append((start + k / 3 * (end - start), moment.strftime(shown)))
    return _Axis(scale, tuple(ticks), title)


def seconds(value: Any) -> float:
    """Seconds since 1970 of an ISO 8601 time, taken as UTC where it names no zone."""
    moment = dt.datetime.fromisoformat(str(value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _bands(labels: list[str], start: float, end: float, title: str) -> _Axis:
    """Bands in the order of the labels; downwards where the axis runs upwards."""
    low, high = min(start, end), max(start, end)
    width = (high - low) / max(1, len(labels))
    middles = {label: low + (place + 0.5) * width for place, label in enumerate(labels)}
    return _Axis(
        lambda value: middles[str(value)],
        tuple((middle, label) for label, middle in middles.items()),
        title,
        width,
    )


def _frame(x: _Axis, y: _Axis, left: float, height: float) -> str:
    floor = height - _BOTTOM
    middle = (left + WIDTH - _RIGHT) / 2
    axis = f'<path class="axis" d="M{left} {_TOP}V{_n(floor)}H{WIDTH - _RIGHT}"/>'
    title = f'<text class="title" x="{_n(middle)}" y="{_n(height - 6)}" text-anchor="middle">'
    parts = [axis, title + _text(x.title) + "</text>"]
    for at, text in x.ticks:
        parts.append(
            f'<text x="{_n(at)}" y="{_n(floor + 14)}" text-anchor="middle">{_tick(text)}</text>'
        )
    for at, text in y.ticks:
        if not y.band:
            parts.append(f'<path class="grid" d="M{left} {_n(at)}H{WIDTH - _RIGHT}"/>')
        parts.append(
            f'<text x="{left - 6}" y="{_n(at + 3.5)}" text-anchor="end">{_tick(text)}</text>'
        )
    if not y.band and y.title:
        parts.append(
            f'<text class="title" transform="translate(12 {_n((_TOP + floor) / 2)}) rotate(-90)" '
            f'text-anchor="middle">{_text(y.title)}</text>'
        )
    return "".join(parts)


def _marks(layer: Spec, x: _Axis, y: _Axis) -> str:
    mark = layer["mark"] if isinstance(layer["mark"], dict) else {"type": layer["mark"]}
    colour = escape(str(mark.get("color", ""))) or _COLOUR
    draw_rows = {"bar": _bars, "point": _points, "line": _line, "rule": _rules, "rect": _rects}
    if mark["type"] not in draw_rows:
        raise UnknownChart(f"no mark {mark['type']!r} is drawn")
    fields = {channel: one.get("field") for channel, one in layer["encoding"].items()}
    rows = [
        row
        for row in layer["values"]
        if all(row.get(field) is not None for field in fields.values() if field)
    ]
    return draw_rows[mark["type"]](rows, fields, x, y, colour)


Rows = list[dict[str, Any]]
Fields = dict[str, str]


def _bars(rows: Rows, fields: Fields, x: _Axis, y: _Axis, colour: str) -> str:
    """Bars between x and x2, or from zero along the band of a label."""
    found = []
    for row in rows:
        if y.band:
            ends = sorted((x.scale(0), x.scale(row[fields["x"]])))
            top, tall = y.scale(row[fields["y"]]) - y.band * 0.36, y.band * 0.72
            left, wide = ends[0], ends[1] - ends[0]
        else:
            left = x.scale(row[fields["x"]])
            wide = max(1.0, x.scale(row[fields["x2"]]) - left - 1)
            top, floor = sorted((y.scale(row[fields["y"]]), y.scale(0)))
            tall = floor - top
        found.append(_rect(left, top, wide, tall, colour, _tip(row)))
    return "".join(found)


def _rects(rows: Rows, fields: Fields, x: _Axis, y: _Axis, colour: str) -> str:
    most = max((float(row[fields["color"]]) for row in rows), default=1.0) or 1.0
    return "".join(
        _rect(
            x.scale(row[fields["x"]]) - x.band / 2 + 1,
            y.scale(row[fields["y"]]) - y.band / 2 + 1,
            x.band - 2,
            y.band - 2,
            colour,
            _tip(row),
            f' fill-opacity="{0.06 + 0.94 * float(row[fields["color"]]) / most:.3f}"',
        )
        for row in rows
    )


def _rect(
    left: float, top: float, wide: float, tall: float, colour: str, tip: str, more: str = ""
) -> str:
    return (
        f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(wide)}" height="{_n(tall)}" '
        f'fill="{colour}"{more}><title>{tip}</title></rect>'
    )


def _points(rows: Rows, fields: Fields, x: _Axis, y: _Axis, colour: str) -> str:
    return "".join(
        f'<circle cx="{_n(x.scale(row[fields["x"]]))}" cy="{_n(y.scale(row[fields["y"]]))}" '
        f'r="2.6" fill="{colour}" fill-opacity="0.6"><title>{_tip(row)}</title></circle>'
        for row in rows
    )


def _line(rows: Rows, fields: Fields, x: _Axis, y: _Axis, colour: str) -> str:
    path = "L".join(
        f"{_n(x.scale(row[fields['x']]))} {_n(y.scale(row[fields['y']]))}" for row in rows
    )
    return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>' if path else ""


def _rules(rows: Rows, fields: Fields, x: _Axis, _y: _Axis, colour: str) -> str:
    low, high = (HEIGHT - _BOTTOM, _TOP)
    return "".join(
        f'<path d="M{_n(x.scale(row[fields["x"]]))} {low}V{high}" stroke="{colour}" '
        f'stroke-dasharray="4 3"><title>{_tip(row)}</title></path>'
        for row in rows
    )


def _tip(row: dict[str, Any]) -> str:
    return escape(clean(", ".join(f"{name}: {value}" for name, value in row.items())))


def _tick(text: str) -> str:
    return _text(text if len(text) <= _LABEL else text[: _LABEL - 1] + "\u2026")


def _text(text: str) -> str:
    return escape(clean(text))


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")

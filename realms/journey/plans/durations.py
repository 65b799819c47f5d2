"""Durations as templates spell them: `500ms`, `30s`, `5m`, `2h`, `90d`, and ISO 8601."""

import re
from datetime import timedelta

from utilities.errors import ErrorKind, PlatformError

LONGEST = timedelta(days=3650)
_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_SHORT = re.compile(r"([0-9]{1,15})(ms|[smhd])")
_ISO = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,9})W|(?:([0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,12})(?:\.([0-9]{1,6}))?S)?)?)"
)
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[-+]?[0-9]+)?")
_LONG_UNITS = {"sec": "s", "second": "s", "min": "m", "minute": "m", "hour": "h", "hr": "h"}
_LONG_UNITS |= {"day": "d", "milli": "ms", "millisecond": "ms", "msec": "ms"}
_WORD = re.compile(r"([0-9]{1,9}) ?([A-Za-z]+)")
_FORMS = "Write it as 500ms, 30s, 5m, 2h, 90d or PT1H30M"


class BadDuration(PlatformError):
    """This is no duration."""

    kind = ErrorKind.INVALID


def parse_duration(text: str) -> timedelta:
    """How long `text` says.

    Raises:
        BadDuration: it is not one of the forms, is nothing or less, or is longer than ten years.
    """
    if not isinstance(text, str):
        raise BadDuration("a duration is a text with its unit", hint=_unit_for(str(text)))
    if found := _SHORT.fullmatch(text):
        return _in_range(int(found[1]) * (_UNITS[found[2]] // _TICK))
    if found := _ISO.fullmatch(text):
        return _in_range(_iso_ticks(found))
    raise BadDuration(f"{_quoted(text)} is no duration", hint=_hint(text))


def shown(duration: timedelta) -> str:
    """The shortest spelling that `parse_duration` reads back as `duration`."""
    for name, unit in _UNITS.items():
        if not duration % unit:
            return f"{duration // unit}{name}"
    seconds, rest = divmod(duration, _UNITS["s"])
    return f"PT{seconds}.{rest // _TICK:06d}".rstrip("0") + "S"


_TICK = timedelta(microseconds=1)


def _iso_ticks(found: re.Match[str]) -> int:
    weeks, days, hours, minutes, seconds, fraction = found.groups()
    whole = ((int(weeks or 0) * 7 + int(days or 0)) * 24 + int(hours or 0)) * 60
    whole = (whole + int(minutes or 0)) * 60 + int(seconds or 0)
    return whole * 1_000_000 + int((fraction or "").ljust(6, "0"))


def _in_range(ticks: int) -> timedelta:
    if ticks == 0:
        raise BadDuration("a duration of nothing", hint="It must be longer than 0")
    if ticks > LONGEST // _TICK:
        raise BadDuration("longer than ten years", hint=f"At most {shown(LONGEST)}")
    return timedelta(microseconds=ticks)


def _hint(text: str) -> str:
    if text.startswith("-"):
        return "It must be longer than 0"
    if _NUMBER.fullmatch(text.casefold()):
        return _unit_for(text)
    if re.fullmatch(r"P[^T]*[0-9][YM].*|P.*[0-9]Y.*", text):
        return "Years and months differ in length: count in days, such as P30D"
    if found := re.fullmatch(r"([0-9]{1,9}) ?[wW](eeks?)?", text):
        return f"Write {int(found[1]) * 7}d"
    if found := _WORD.fullmatch(text):
        unit = found[2].casefold().removesuffix("s") or "s"
        unit = {"m": "ms" if found[2].casefold() == "ms" else "m"}.get(unit, unit)
        unit = _LONG_UNITS.get(unit, unit)
        if unit in _UNITS:
            return f"Write {int(found[1])}{unit}"
    return _FORMS


def _unit_for(text: str) -> str:
    return f"Write {text}s for seconds" if re.fullmatch(r"[0-9]{1,9}", text) else _FORMS


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")

"""What a text names: dates, amounts of money, percentages, addresses, identifiers, quantities."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from foundations.public_works.parsing.insights.texts.patterns import DATE, IBAN, MAIL, is_iban


class EntityKind(StrEnum):
    """What an entity is."""

    DATE = "date"
    MONEY = "amount of money"
    PERCENTAGE = "percentage"
    QUANTITY = "quantity"
    MAIL = "mail address"
    WEB = "web address"
    IDENTIFIER = "identifier"


@dataclass(frozen=True, slots=True)
class Entity:
    """A place in a text and what it says; `value` is 0.0 for what is no number.

    `tolerance` is half of the last digit that is stated: 4.2 million is 4,200,000 give or take
    50,000.
    """

    kind: EntityKind
    text: str
    start: int
    end: int
    value: float = 0.0
    unit: str = ""
    tolerance: float = 0.0


_DATE = re.compile(DATE)
_MAIL = re.compile(MAIL)
_WEB = re.compile(r"\b(?:https?://|www\.)[^\s<>\"')\]]+[^\s<>\"')\].,;:!?]", re.IGNORECASE)
_IBAN = re.compile(IBAN)
_IDENTIFIER = re.compile(
    r"\b(?=[A-Z0-9/-]*\d{3})[A-Z]{2,}(?:[-/][A-Z0-9]+)*[-/]?\d[A-Z0-9]*(?:[-/][A-Z0-9]+)*\b"
)
_NUMBER = (
    r"[+-]?(?:\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:[ \u00a0\u202f]\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}"
    r"|\d{1,3}(?:[,\u00a0\u202f'\u2019]\d{3})+(?:\.\d+)?|\d+,\d{1,2}|\d+(?:\.\d+)?)"
)
_COMMA_NUMBER = re.compile(r"[+-]?(?:.*,\d{1,2}|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,})")
_ONE_GROUP = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_WRITTEN_BEHIND = ("€", "EUR", "Euro", "CHF")
"""Behind its number, where a point stands between thousands: `1.250 Euro`, but `$1.459`."""
_SCALES = {
    "thousand": 1e3, "k": 1e3, "million": 1e6, "millions": 1e6, "mn": 1e6, "m": 1e6,
    "billion": 1e9, "billions": 1e9, "bn": 1e9, "tausend": 1e3, "millionen": 1e6, "milliarden": 1e9,
    "mio": 1e6, "mrd": 1e9, "milliard": 1e9, "milliards": 1e9, "millones": 1e6, "milioni": 1e6,
}  # fmt: skip
_CURRENCIES = {
    "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "usd": "USD", "eur": "EUR", "gbp": "GBP",
    "chf": "CHF", "jpy": "JPY", "euro": "EUR", "euros": "EUR", "dollar": "USD", "dollars": "USD",
    "pound": "GBP", "pounds": "GBP", "francs": "CHF",
}  # fmt: skip
_UNITS = {
    "km/h": "km/h", "m/s": "m/s", "mm": "mm", "cm": "cm", "km": "km", "m": "m", "metre": "m",
    "metres": "m", "meter": "m", "meters": "m", "kilometres": "km", "kilometers": "km",
    "mile": "mi", "miles": "mi", "kg": "kg", "g": "g", "tonne": "t", "tonnes": "t", "tons": "t",
    "litre": "l", "litres": "l", "liters": "l", "degrees": "°", "°c": "°C", "kwh": "kWh",
    "mwh": "MWh", "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "hour": "h",
    "hours": "h", "day": "d", "days": "d", "week": "weeks", "weeks": "weeks", "month": "months",
    "months": "months", "year": "years", "years": "years",
}  # fmt: skip
_WORDY = "|".join(
    re.escape(word)
    for word in sorted({*_CURRENCIES, *_UNITS}, key=len, reverse=True)
    if word[0].isalpha() or word[0] == "°"
)
_SIGNED = "|".join(re.escape(sign) for sign in _CURRENCIES if not sign.isalpha())
_SCALED = "|".join(sorted(_SCALES, key=len, reverse=True))
_AMOUNT = re.compile(
    rf"(?<![\w.,/+-])(?P<sign>(?:{_SIGNED}|\b(?:EUR|USD|GBP|CHF|JPY)\b)\s?)?"
    rf"(?P<number>{_NUMBER})(?![\d])"
    rf"(?:\s?(?P<scale>{_SCALED})\b(?:(?<=mio|mrd)\.)?(?:\sde?\b['\u2019]?)?)?"
    rf"(?:\s?(?P<percent>%|percent\b|per cent\b|Prozent\b)"
    rf"|\s?(?P<unit>{_SIGNED}|(?:{_WORDY})(?![\w/]))"
    rf"|\s(?P<noun>[^\W\d_]{{3,}}))?",
    re.IGNORECASE,
)


def entities(text: str) -> list[Entity]:
    """What a text names, in its order; nothing is named twice at one place."""
    found: list[Entity] = []
    for one in _candidates(text):
        if not any(one.start < other.end and other.start < one.end for other in found):
            found.append(one)
    return sorted(found, key=lambda one: one.start)


def _candidates(text: str) -> Iterator[Entity]:
    """The surest first."""
    for kind, pattern in ((EntityKind.MAIL, _MAIL), (EntityKind.WEB, _WEB)):
        for match in pattern.finditer(text):
            yield Entity(kind, match[0], match.start(), match.end())
    for match in _IBAN.finditer(text):
        if is_iban(match[0]):
            yield Entity(EntityKind.IDENTIFIER, match[0], match.start(), match.end(), unit="IBAN")
    for match in _DATE.finditer(text):
        yield Entity(EntityKind.DATE, match[0], match.start(), match.end())
    for match in _IDENTIFIER.finditer(text):
        yield Entity(EntityKind.IDENTIFIER, match[0], match.start(), match.end())
    for match in _AMOUNT.finditer(text):
        amount = _amount(match)
        if amount is not None:
            yield amount


def _amount(match: re.Match[str]) -> Entity | None:
    number = _plain(match)
    sign = (match["sign"] or "").strip().casefold()
    unit = (match["unit"] or "").casefold()
    if match["scale"] == "m" and not (sign in _CURRENCIES or unit in _CURRENCIES):
        return _metres(match, number)
    scale = _SCALES.get((match["scale"] or "").casefold(), 1.0)
    value, tolerance = float(number) * scale, _half_of_last_digit(number) * scale
    end = match.start("noun") if match["noun"] else match.end()
    if match["percent"]:
        kind, named = EntityKind.PERCENTAGE, "%"
    elif sign in _CURRENCIES or unit in _CURRENCIES:
        kind, named = EntityKind.MONEY, _CURRENCIES.get(sign) or _CURRENCIES[unit]
    elif unit in _UNITS:
        kind, named = EntityKind.QUANTITY, _UNITS[unit]
    elif match["noun"] and not _is_year(number):
        kind, named = EntityKind.QUANTITY, match["noun"].casefold().rstrip("s")
    else:
        return None
    text = match.string[match.start() : end].strip()
    return Entity(kind, text, match.start(), end, value, named, tolerance)


def _metres(match: re.Match[str], number: str) -> Entity | None:
    """`120 m` of no currency are metres; `12m users` may be either, and is told as neither."""
    start, end = match.start(), match.end("scale")
    if not match.string[match.end("number")].isspace():
        return None
    text, tolerance = match.string[start:end], _half_of_last_digit(number)
    return Entity(EntityKind.QUANTITY, text, start, end, float(number), "m", tolerance)


def _plain(match: re.Match[str]) -> str:
    """The number as programs write it."""
    number = re.sub(r"[ \u00a0\u202f'\u2019]", "", match["number"])
    behind = match["unit"] or match["noun"] or ""
    thousands = behind in _WRITTEN_BEHIND or (match["noun"] is not None and behind[0].isupper())
    if _COMMA_NUMBER.fullmatch(number):
        return number.replace(".", "").replace(",", ".")
    if thousands and not match["scale"] and _ONE_GROUP.fullmatch(number):
        return number.replace(".", "")
    return number.replace(",", "")


def _is_year(number: str) -> bool:
    return number.isdigit() and 1500 <= int(number) <= 2100


def _half_of_last_digit(number: str) -> float:
    """Half of one unit of the last digit that says something; round thousands are round."""
    bare = number.lstrip("+-")
    if "." in bare:
        return float(0.5 * 10 ** -len(bare.split(".")[1]))
    zeros = len(bare) - len(bare.rstrip("0"))
    return float(0.5 * 10**zeros) if zeros >= 2 and len(bare) > zeros else 0.0

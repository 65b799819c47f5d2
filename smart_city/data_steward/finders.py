"""Finds in a text what a pattern and a check digit can tell: addresses, accounts, ids, numbers.

Mail addresses, accounts and dates are recognised by the same patterns as entities in insights,
names of people by the same words around them as are no key phrases there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import ip_address
from itertools import pairwise
from typing import Protocol

from foundations.public_works.parsing.insights.texts.patterns import DATE, IBAN, MAIL, is_iban

Span = tuple[int, int]
"""Where something begins, and where it has ended."""


class Finder(Protocol):
    """Finds one kind of thing in a text."""

    @property
    def told(self) -> str:
        """What it finds, in words."""
        ...

    def spans(self, text: str) -> Iterator[Span]:
        """Where it stands in a text."""
        ...


@dataclass(frozen=True, slots=True)
class NameFinder:
    """Finds names of people by the words around them."""

    told: str

    def spans(self, text: str) -> Iterator[Span]:
        if text.isascii() and text == text.lower():
            return iter(())  # each name begins with a capital
        # imported where a name is looked for: its long patterns are compiled then, not at a boot
        from foundations.public_works.parsing.person_names import person_names

        return person_names(text)


@dataclass(frozen=True, slots=True)
class PatternFinder:
    """Finds one kind of thing, in texts that have as many digits, or the sign, that it needs."""

    told: str
    pattern: str
    length: Callable[[str], int]
    """How much of what the pattern matched is it; 0 when it is none."""
    digits: int = 0
    sign: str = ""

    def spans(self, text: str) -> Iterator[Span]:
        """Where it stands in a text."""
        if self.sign not in text or (self.digits and _digits(text) < self.digits):
            return
        for match in _compiled(self.pattern).finditer(text):
            if length := self.length(match[0]):
                yield match.start(), match.start() + length


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """It is compiled when it is looked for: no boot does."""
    return re.compile(pattern)


@lru_cache(maxsize=8)  # one finder after the other asks of the same text
def _digits(text: str) -> int:
    return sum(map(text.count, "0123456789"))


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    doubled = (int(d) * (2 if at % 2 else 1) for at, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _whole(text: str) -> int:
    return len(text)


def _bare(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", text)


_IBANS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28
EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26
IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30
NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23
TN24 TR26 UA29 VA22 VG24 XK20
"""
_IBAN_LENGTHS: Mapping[str, int] = {code[:2]: int(code[2:]) for code in _IBANS.split()}
"""How long the IBANs of each country are (SWIFT's registry)."""


def _iban(text: str) -> int:
    """Its length with blanks: the pattern may have taken words that follow."""
    wanted, seen = _IBAN_LENGTHS.get(text[:2], 0), 0
    for at, character in enumerate(text, start=1):
        seen += character != " "
        if seen == wanted:
            return at if is_iban(text[:at]) else 0
    return 0


_CARD_BEGINS = re.compile(r"4|5[0-5]|2[2-7]|3[47]|3[0689]|6")


def _card(text: str) -> int:
    digits = _bare(text)
    plausible = _CARD_BEGINS.match(digits) and len(set(digits)) > 1
    return len(text) if plausible and luhn(digits) else 0


def _phone(text: str) -> int:
    return len(text) if 8 <= len(_bare(text).removeprefix("00")) <= 15 else 0


def _local_phone(text: str) -> int:
    return len(text) if 7 <= len(_bare(text)) <= 15 else 0


def _address(text: str) -> int:
    try:
        ip_address(text)
    except ValueError:
        return 0
    return len(text) if any(map(str.isdigit, text)) else 0


def _national(text: str) -> int:
    bare = _bare(text).upper()
    return len(text) if any(is_one(bare) for is_one in _NATIONAL) else 0


def _united_states(bare: str) -> bool:
    """A social security number; areas 000, 666 and 9xx, group 00 and serial 0000 are none's."""
    return bool(re.fullmatch(r"(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}", bare))


def _united_kingdom(bare: str) -> bool:
    """A national insurance number."""
    return bool(
        re.fullmatch(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]", bare)
    )


def _switzerland(bare: str) -> bool:
    """An insurance number: 756, and the check digit of an EAN-13."""
    if not re.fullmatch(r"756\d{10}", bare):
        return False
    return sum(int(d) * (3 if at % 2 else 1) for at, d in enumerate(bare)) % 10 == 0


def _spain(bare: str) -> bool:
    """A DNI, or with X, Y or Z before it a NIE: its letter tells the number modulo 23."""
    if not re.fullmatch(r"[XYZ\d]\d{7}[A-Z]", bare):
        return False
    number = int(bare[:-1].translate(str.maketrans("XYZ", "012")))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == bare[-1]


def _france(bare: str) -> bool:
    """A number of the INSEE: 97 less the remainder of the first thirteen digits."""
    if not re.fullmatch(r"[12]\d{2}(?:0[1-9]|1[0-2]|[2-9]\d)\d{10}", bare):
        return False
    return 97 - int(bare[:13]) % 97 == int(bare[13:])


def _italy(bare: str) -> bool:
    """A codice fiscale, by its form."""
    return bool(re.fullmatch(r"[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", bare))


def _germany(bare: str) -> bool:
    """A tax id: one digit stands two or three times, and the check is ISO 7064's MOD 11,10."""
    if not re.fullmatch(r"[1-9]\d{10}", bare) or len(set(bare[:10])) not in {8, 9}:
        return False
    if any(a == b == c for (a, b), c in zip(pairwise(bare[:10]), bare[2:10], strict=False)):
        return False
    product = 10
    for digit in bare[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(bare[10])


_NATIONAL = (
    _united_states, _united_kingdom, _switzerland, _spain, _france, _italy, _germany,
)  # fmt: skip

FINDERS: Mapping[str, Finder] = {
    "mail_address": PatternFinder("mail addresses", MAIL, _whole, sign="@"),
    "iban": PatternFinder(
        "account numbers with the check digits of an IBAN (ISO 13616)", IBAN, _iban, digits=7
    ),
    "payment_card": PatternFinder(
        "card numbers with a right check digit (ISO/IEC 7812)",
        r"(?<![\w.,+-])\d(?:[ -]?\d){12,18}(?![\w-])",
        _card,
        digits=13,
    ),
    "international_phone_number": PatternFinder(
        "phone numbers that begin with + or 00",
        r"(?<![\w+.])(?:\+|00)[1-9](?:[ ./()-]{0,3}\d){7,14}(?!\w)",
        _phone,
        digits=8,
    ),
    "local_phone_number": PatternFinder(
        "seven to fifteen digits, as phone numbers are written",
        r"(?<![\w.+-])\(?\d(?:[ ./()-]{0,2}\d){6,14}(?!\w)",
        _local_phone,
        digits=7,
    ),
    "ip_address": PatternFinder(
        "addresses of IPv4 and IPv6",
        (
            r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\w)"
            r"|(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}(?![\w:.])"
        ),
        _address,
        digits=2,
    ),
    "national_id": PatternFinder(
        "numbers that states give people, by form and check digit: the social security number "
        "(US), NINO (UK), AHV (CH), DNI and NIE (ES), INSEE (FR), codice fiscale (IT), Steuer-ID "
        "(DE)",
        (
            r"(?<![\w.,-])(?:\d{3}-\d{2}-\d{4}|756\.?\d{4}\.?\d{4}\.?\d{2}|[XYZxyz\d]-?\d{7}-?[A-Za-z]"
            r"|[12] ?\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{3} ?\d{2}"
            r"|[A-Za-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]"
            r"|[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z]"
            r"|\d{2} ?\d{3} ?\d{3} ?\d{3})(?![\w-])"
        ),
        _national,
        digits=6,
    ),
    "long_number": PatternFinder(
        "five digits and more, with letters before them or not",
        r"(?<![\w.,])[A-Za-z]{0,3}\d(?:[ ./-]?\d){4,19}[A-Za-z]?(?!\w)",
        _whole,
        digits=5,
    ),
    "date": PatternFinder("dates", DATE, _whole, digits=1),
    "person_name": NameFinder(
        "names of people after a title, in a salutation or a signature, before a mail address, or "
        "after a label such as `Contact person:`"
    ),
}
"""What `finds` may name in a policy."""

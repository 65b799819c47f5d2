"""Patterns of what is looked for in insights and by the data policy alike."""

_MONTH_NAMES = """
january february march april may june july august september october november december januar februar
märz mai juni juli oktober dezember jan feb mar apr jun jul aug sep sept oct okt nov dec dez jänner
janvier février mars avril juin juillet août septembre octobre novembre décembre enero febrero marzo
abril mayo junio julio agosto septiembre octubre noviembre diciembre gennaio febbraio aprile maggio
giugno luglio settembre ottobre dicembre
"""
MONTH = r"(?:" + "|".join(sorted(_MONTH_NAMES.split(), key=len, reverse=True)) + r")"
_BEFORE_NUMBER = r"(?=[^\W\d_]{3,10}\.?\s\d)"
"""Looked for before names of months are: there are many, and few words stand before a number."""
DATE = (
    rf"(?i)\b\d{{4}}-\d{{2}}-\d{{2}}\b"
    rf"|\b\d{{1,2}}[./]\d{{1,2}}[./](?:\d{{4}}|\d{{2}})\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th|er|\.|\sde)?\s{MONTH}\b(?:\.?,?(?:\sde)?\s\d{{4}}\b)?"
    rf"|\b{_BEFORE_NUMBER}{MONTH}\.?\s\d{{1,2}}(?:st|nd|rd|th)?\b(?!\s?%)(?:,\s\d{{4}}\b)?"
    rf"|\b{_BEFORE_NUMBER}{MONTH}\s\d{{4}}\b"
)
MAIL = r"(?i)\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b"
IBAN = r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"


def is_iban(text: str) -> bool:
    """Whether the check digits of an IBAN are right (ISO 13616: modulo 97)."""
    bare = text.replace(" ", "")
    if not 15 <= len(bare) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1

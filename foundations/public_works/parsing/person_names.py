"""Names of people that the words around them tell: titles, salutations, signatures, addresses.

Without such words a name is not told from any other capitalised word, so what is found is sure and
what is not found may be one.
"""

import re
from collections.abc import Iterator

Span = tuple[int, int]

_PART = r"[^\W\d_a-zß-öø-ÿ][^\W\d_]*(?:['’-][^\W\d_]+)*"  # noqa: RUF001 - names are written with it
_INITIAL = r"[^\W\d_a-zß-öø-ÿ]\."
_OF = r"(?:van|von|zu|vom|de|del|della|di|da|dos|den|der|ten|ter|le|la|el|al|bin|ibn|af)"
_BLANK = r"[ \t\xa0]+"
_BEFORE = rf"(?:van|von|de|di|da|al|el|bin){_BLANK}(?:(?:der|den|la){_BLANK})?"
_BEGIN = rf"(?:{_INITIAL}|(?:{_BEFORE})?{_PART})"
_NEXT = rf"(?:[ \t\xa0]*(?<=\.)|{_BLANK})(?:{_INITIAL}|(?:{_OF}{_BLANK}){{0,2}}{_PART})"
_NAME = rf"{_BEGIN}(?:{_NEXT}){{0,3}}"
_ACADEMIC = r"(?:(?:Dr|Prof|Dipl|Ing|Mag|PhD|med|jur|rer|nat|h|c)\.?[ \t\xa0-]*)*"

_TITLE = re.compile(
    r"(?<![\w&@/.-])(?:(?:Mrs|Mr|Ms|Mx|Dr|Prof)\b\.?|(?:Miss|Sir|Dame|Lady|Lord|Herrn?|Frau|Fräulein"
    r"|Monsieur|Madame|Mme|Mlle|Mademoiselle|Señora?|Señorita|Sra?\.|Signora?|Sig\.|Sig\.ra|Dott\."
    rf")(?!\w)){_BLANK}{_ACADEMIC}(?P<name>{_NAME})"
)
_SALUTATION = re.compile(
    r"^[ \t>]*(?:Dear|Hi|Hello|Hey|Good (?:morning|afternoon|evening)|Hallo|Lieber?|Guten "
    r"(?:Tag|Morgen|Abend)|Moin|Chère?|Bonjour|Bonsoir|Estimad[oa]|Querid[oa]|Hola|Car[oa]|Ciao"
    rf"|Gentile){_BLANK}(?P<name>{_NAME})"
    rf"(?:(?:,|{_BLANK}(?:and|und|et|y|e|&)){_BLANK}(?P<other>{_NAME}))?[ \t]*[,!:.–—-]?[ \t\r]*$",  # noqa: RUF001 - letters end so
    re.MULTILINE,
)
_SIGNATURE = re.compile(
    r"^[ \t>]*(?i:Yours(?: (?:sincerely|faithfully|truly|ever))?|Sincerely(?: yours)?"
    r"|(?:With )?(?:kind|best|warm|kindest|warmest) (?:regards|wishes)|Many thanks|Best|Regards"
    r"|Respectfully|Cheers|Thanks(?: again)?|Thank you|Mit (?:freundlich|best|herzlich|lieb)e[nm] "
    r"Gr(?:üßen|uß|üssen)|(?:Freundliche|Viele|Liebe|Beste|Herzliche|Schöne) Gr(?:üße|üsse)"
    r"|Hochachtungsvoll|MfG|LG|VG|Cordialement|Bien à vous|Salutations distinguées"
    r"|(?:Un )?saludos?|Atentamente|(?:Cordiali|Distinti) saluti)"
    r"[ \t]*[,!.]?[ \t\r]*\n(?:[ \t>]*\r?\n){0,3}"
    rf"[ \t>–—-]*{_ACADEMIC}(?P<name>{_NAME})[ \t]*(?:,[^\n]*)?\r?$",  # noqa: RUF001 - letters end so
    re.MULTILINE,
)
_MAIL = re.compile(r"[\"']?[ \t]*[<(](?:mailto:)?[\w.+-]+@[\w-]+\.[\w.-]+[>)]")
_BEFORE_MAIL = re.compile(rf"(?P<name>{_BEGIN}(?:,?(?:{_NEXT})){{1,3}})$")
_LONGEST = 80
_LABEL = re.compile(
    r"^[ \t>*-]*(?i:Full name|Contact(?: person| name)?|Attn|Attention|c/o|Signed by|Prepared by"
    r"|Approved by|Author|Applicant|Patient(?:in)?|Employee|Recipient|Sender"
    r"|Ansprechpartner(?:in)?|Sachbearbeiter(?:in)?|Bearbeiter(?:in)?|Verfasser(?:in)?"
    r"|Unterzeichnet von|Mitarbeiter(?:in)?|Antragsteller(?:in)?|Nom et prénom"
    r"|Nombre y apellidos)[ \t]*:[ \t]*"
    rf"(?P<name>{_BEGIN}(?:{_NEXT}){{1,3}})[ \t]*(?:[,;(].*)?\r?$",
    re.MULTILINE,
)
_RULES = (_TITLE, _SALUTATION, _SIGNATURE, _LABEL)
_STREET = re.compile(r"\d\w?[ \t]+(?:\w+[ \t]+){1,3}$")
"""Before `Dr.`, which is a drive there."""
_NOT_NAMES = """
all team sir sirs madam madame mesdames messieurs monsieur customer customers client clients
colleague colleagues friend friends everyone everybody folks there reader readers world guys
hiring manager managers support service services sales committee board member members partner
partners parents valued diary recruiter department office group company president chairman
speaker chair minister secretary justice universe editor editors applicant student students
shareholder shareholders investor investors subscriber subscribers user users guest guests
again name names none unknown gmbh ltd inc ag llc corp kg the our your ihr ihre ihren dein deine
kundendienst kundenservice kunde kunden kundin kundinnen kollege kollegen kollegin kolleginnen
damen herren freunde mitglieder zusammen alle eltern gäste leute präsident präsidentin minister
ministerin vorsitzender vorsitzende bürgermeister bürgermeisterin doktor professor prof dr tous
toutes todos todas cliente clientes equipo équipe amigos tutti mr mrs ms you thanks regards best
please i we who this that
"""
_NOBODY = frozenset(_NOT_NAMES.split())


def person_names(text: str) -> Iterator[Span]:
    """Where names of people stand in a text, each also where it comes again in the same text."""
    spans = [*_found(text), *_before_mails(text)]
    again = {text[start:end] for start, end in spans if " " in text[start:end]}
    for name in again:
        spans += (match.span() for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text))
    last = 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= last:
            yield start, end
            last = end


def _found(text: str) -> Iterator[Span]:
    for rule in _RULES:
        for match in rule.finditer(text):
            if rule is _TITLE and _STREET.search(text, max(0, match.start() - 40), match.start()):
                continue
            for group in match.re.groupindex:
                if match[group] and _is_somebody(match[group]):
                    yield match.span(group)


def _before_mails(text: str) -> Iterator[Span]:
    """Names that an address follows, as in `First Last <name@example.org>`."""
    if "@" not in text:
        return
    for mail in _MAIL.finditer(text):
        begin = max(0, mail.start() - _LONGEST)
        name = _BEFORE_MAIL.search(text, begin, mail.start())
        if name and _is_somebody(name["name"]):
            yield name.span("name")


def _is_somebody(name: str) -> bool:
    """Whether it may be a person's: each word written as names are, none of them general."""
    words = re.findall(r"[^\W\d_]+", name)
    proper = [word for word in words if word[0].isupper()]
    general = any(word.casefold() in _NOBODY for word in words)
    return bool(proper) and not general and not all(len(word) == 1 for word in words)

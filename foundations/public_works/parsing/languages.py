"""In which language a text is, by its letters and its commonest words."""

import re
from collections import Counter
from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+")
_CONSIDERED = 5_000
_LEAST_WORDS = 8
_LEAST_SHARE = 0.12
_LEAST_LEAD = 1.3

_COMMONEST = {
    "English": "the of and to in is was that for it with as his on be at by this had not are but "
    "from or have an they which you were their has its been would who will more",
    "German": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als "
    "auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über",
    "French": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se "
    "ce il sont la avec son être aux ou mais cette nous ses leur",
    "Spanish": "de la que el en y a los se del las un por con no una su para es al lo como más o "
    "pero sus le ha me si sin sobre este ya entre cuando todo",
    "Italian": "di e il la che in a per un del è non con le si una i da della al sono dei come più "
    "nel alla lo ha anche gli delle ma essere questo su o",
    "Portuguese": "de a o que e do da em um para com não uma os no se na por mais as dos como mas "
    "ao ele das à seu sua ou quando muito nos já foi é são",
    "Dutch": "de van het een en in is dat op te zijn met voor niet aan er om ook als dan maar bij "
    "door naar over uit werd hij nog heeft die wordt deze tot",
    "Swedish": "och i att det som en på är av för med den till inte har de om ett han men var jag "
    "sig från vi så kan när år under också efter",
    "Danish": "og i at det en den til er som på de med han af for ikke der var et har om vi havde "
    "men fra blev eller ved kan skal også efter",
    "Polish": "i w na z do się nie jest to że o jak ale po co za od przez tym dla przy jego był są "
    "oraz także jako może tego tylko już",
}
_WORDS = {language: frozenset(words.split()) for language, words in _COMMONEST.items()}
_SCRIPTS = {
    "Russian or another language in Cyrillic": re.compile(r"[\u0400-\u04ff]"),
    "Greek": re.compile(r"[\u0370-\u03ff]"),
    "Japanese": re.compile(r"[\u3040-\u30ff]"),
    "Korean": re.compile(r"[\uac00-\ud7af]"),
    "Chinese": re.compile(r"[\u4e00-\u9fff]"),
    "Arabic": re.compile(r"[\u0600-\u06ff]"),
    "Hebrew": re.compile(r"[\u0590-\u05ff]"),
}


def language_of(texts: Iterable[str]) -> str:
    """The language's English name; empty where the text is too short or too mixed to say."""
    words: list[str] = []
    for text in texts:
        words += _WORD.findall(text.casefold())
        if len(words) >= _CONSIDERED:
            break
    letters = "".join(words)
    for language, letter in () if letters.isascii() else _SCRIPTS.items():
        if len(letter.findall(letters)) > 0.2 * len(letters):
            return language
    if len(words) < _LEAST_WORDS:
        return ""
    counts = Counter(words)
    hits = Counter({name: sum(counts[w] for w in known) for name, known in _WORDS.items()})
    (best, most), (_, second) = hits.most_common(2)
    return best if most >= _LEAST_SHARE * len(words) and most >= _LEAST_LEAD * second else ""

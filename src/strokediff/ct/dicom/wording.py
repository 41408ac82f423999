"""Whether a text says that contrast was given, was not, both, or nothing of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum

from strokediff.ct.dicom import language as language


class Wording(Enum):
    """What a text says of contrast."""

    SILENT = "nothing"
    PLAIN = "without contrast"
    CONTRAST = "with contrast"
    BOTH = "with and without contrast"


_LETTERS = str.maketrans(
    {"ı": "i", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "−": "-", "–": "-", "—": "-"}
)


def folded(text: str) -> str:
    """A text for comparison: normal width, lower case, no accents, spaces for underscores."""
    wide = unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
    bare = "".join(c for c in unicodedata.normalize("NFD", wide) if unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", bare).replace("_", " ")


class Words:
    """A set of words, some of them beginnings (with *)."""

    def __init__(self, lines: Iterable[str]) -> None:
        words = [folded(w) for line in lines for w in line.split()]
        self._exact = {w for w in words if not w.endswith("*")}
        self._starts = tuple(w[:-1] for w in words if w.endswith("*"))

    def __contains__(self, word: str) -> bool:
        return word in self._exact or word.startswith(self._starts)


_CONTRAST = Words(language.CONTRAST.values())
_PLAIN = Words(language.PLAIN.values())
_WITHOUT = Words(language.WITHOUT.values())
_WITH = Words(language.WITH.values())
_BEHIND = Words([language.BEHIND])
_FILLERS = Words([language.FILLERS])
_SHORT = Words([language.SHORT])
_AND = Words([language.AND])
_VIRTUAL = Words([language.VIRTUAL])
_NO_AGENT = Words([language.NO_AGENT])
_ORAL = Words([language.ORAL])
_FOLLOWERS = dict(
    zip(
        language.NOT_OF_CONTRAST[::2],
        (Words([line]) for line in language.NOT_OF_CONTRAST[1::2]),
        strict=True,
    )
)
_ABBREVIATED = [
    (re.compile("|".join(map(folded, short))), f" {long} ")
    for long, short in language.ABBREVIATED.items()
]
_PLUS = re.compile(
    rf"(?<!\w)(?:{language.SIGNED})\s?\+(?!\w)|(?<!\w)(?:{language.SIGNED})\+|"
    rf"\+\s?(?:{language.SIGNED})(?!\w)"
)
_MINUS = re.compile(
    rf"(?<!\w)(?:{language.SIGNED})\s?-(?!\s?\w)|(?<![\w)\]])\s?-(?:{language.SIGNED})(?!\w)"
)
_CJK = {
    Wording.BOTH: re.compile(folded(language.CJK_BOTH)),
    Wording.PLAIN: re.compile(folded(language.CJK_PLAIN)),
    Wording.CONTRAST: re.compile(folded(language.CJK_CONTRAST)),
}
_TOKEN = re.compile(r"[^\W\d_]+(?:/[^\W\d_](?!\w))?|\d+(?:[.,]\d+)?|[&+/]")
_ZERO = re.compile(r"^[\s0.,]*0[\s0.,]*(?:ml|cc|cm3|mg|g|l)?\W*$")
_SOME = re.compile(r"^\W*\d[\d\s.,]*(?:ml|cc|cm3|mg|g|l)?\W*$")
_ENERGY = re.compile(r"(\d{2,3})\s?kev")


def wording(text: str) -> Wording:
    """What a text says of contrast.

    >>> wording("CTA head"), wording("Schädel ohne KM"), wording("HEAD 5mm").name
    (<Wording.CONTRAST: 'with contrast'>, <Wording.PLAIN: 'without contrast'>, 'SILENT')
    """
    line = folded(text)
    for phrase in language.BENIGN:
        line = line.replace(phrase, " ")
    said: set[Wording] = set()
    for kind, pattern in _CJK.items():
        if pattern.search(line):
            said.add(kind)
            line = pattern.sub(" ", line)
    line = re.sub(r"\(\s?([+-])\s?\)", r"\1", line)
    line = _PLUS.sub(" with contrast ", line)
    line = _MINUS.sub(" without contrast ", line)
    for short, long in _ABBREVIATED:
        line = short.sub(long, line)
    said |= _said(_TOKEN.findall(line))
    if Wording.BOTH in said or {Wording.PLAIN, Wording.CONTRAST} <= said:
        return Wording.BOTH
    return next(iter(said), Wording.SILENT)


def _said(tokens: list[str]) -> set[Wording]:
    said: set[Wording] = set()
    k = 0
    while k < len(tokens):
        token, following = tokens[k], tokens[k + 1] if k + 1 < len(tokens) else ""
        if token in _FOLLOWERS and following in _FOLLOWERS[token]:
            k += 2
            continue
        if _joins(tokens, k):
            said.add(Wording.BOTH)
            k += 3
        elif token in _WITHOUT:
            k, negated = _negated(tokens, k)
            if negated:
                said.add(Wording.PLAIN)
        elif token in _PLAIN:
            said.add(Wording.PLAIN)
            k += 1
        elif token in _CONTRAST:
            denied = following in _BEHIND
            said.add(Wording.PLAIN if denied else Wording.CONTRAST)
            k += 2 if denied else 1
        else:
            if token in _WITH and _affirms(token, following):
                said.add(Wording.CONTRAST)
            k += 1
    return said


def _joins(tokens: list[str], k: int) -> bool:
    """Whether "with and without", "pre post" or the like starts at token k."""
    three = tokens[k : k + 3]
    if len(three) == 3 and three[1] in _AND:
        first, last = three[0], three[2]
    elif len(three) >= 2 and three[1] not in _SHORT:
        first, last = three[:2]
    else:
        return False
    return (first in _WITHOUT and last in _WITH) or (first in _WITH and last in _WITHOUT)


def _negated(tokens: list[str], k: int) -> tuple[int, bool]:
    """Past the words that the negation at k negates, and whether they speak of contrast.

    A negation of several letters at the end speaks of it without naming it ("head w/o").
    """
    negation, k = tokens[k], k + 1
    start = k
    spoke = False
    while k < len(tokens):
        named = tokens[k] in _CONTRAST or (tokens[k] in _SHORT and (k == start or spoke))
        if not (named or tokens[k] in _FILLERS or (tokens[k] in _WITHOUT and k == start)):
            break
        spoke = spoke or named
        k += 1
    if spoke:
        return k, True
    alone = start == len(tokens) or tokens[start][:1].isdigit()
    return start, alone and len(negation) > 1 and negation not in _QUIET_ALONE


_QUIET_ALONE = {"no", "not", "un", "до", "не", "ei", "vor", "voor", "prima", "before", "antes"}
_WITH_ALONE = {"with", "w", "post", "avec", "apres", "mit", "con", "com", "met", "med", "nach"}


def _affirms(token: str, following: str) -> bool:
    """Whether a word for "with" speaks of contrast: before a short form of it, or left alone."""
    if following in _SHORT and following not in _WITH:
        return True
    if following in _SHORT:
        return token in ("with", "w", "post")
    if token == "post":
        return True
    sized = following[:1].isdigit() and token != "w"  # W 80 is a window
    return token in _WITH_ALONE and (not following or sized)


def agent_given(agent: str) -> bool:
    """Whether a ContrastBolusAgent names an agent; many scanners write that there was none."""
    line = folded(agent).strip(" .,;:-*?/\\()[]'\"\0")
    if not line or _ZERO.match(line):
        return False
    if line in _NO_AGENT or wording(agent) is Wording.PLAIN:
        return False
    if _SOME.match(line):
        return True
    tokens = _TOKEN.findall(line)
    if tokens and tokens[0] in _NO_AGENT and len(tokens[0]) > 1:
        return False
    if any(t in _ORAL for t in tokens):
        return any(t in _CONTRAST and t not in _ORAL and t != "contrast" for t in tokens)
    return not re.search(r"(?<![\d.,])0+(?:[.,]0+)?\s?(?:ml|cc)\b", line)


def is_virtual(text: str) -> bool:
    """Whether a text names a virtual plain scan, computed from a contrast scan at two energies."""
    line = folded(text)
    found = any(token in _VIRTUAL for token in _TOKEN.findall(line))
    return found or bool(re.search(folded(language.CJK_VIRTUAL), line))


def energy_kev(text: str) -> float | None:
    """The energy of a virtual monoenergetic image; NaN where it is one of unknown energy."""
    line = folded(text)
    if not re.search(language.MONOENERGETIC, line):
        return None
    energy = _ENERGY.search(line)
    return float(energy.group(1)) if energy else float("nan")

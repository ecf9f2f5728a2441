"""Surrogates of people, places and facilities: the same original, the same surrogate."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from medspan.tasks.deid.terms import data_text, terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medspan.tasks.deid.surrogates import Secret

Role = Literal["given", "surname"]

_TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_KEPT = frozenset(
    [
        "dr",
        "mr",
        "mrs",
        "ms",
        "mx",
        "miss",
        "prof",
        "doctor",
        "nurse",
        "md",
        "do",
        "rn",
        "np",
        "pa",
        "phd",
        "jr",
        "sr",
        "ii",
        "iii",
        "van",
        "von",
        "der",
        "den",
        "de",
        "del",
        "la",
        "le",
        "da",
        "di",
    ]
)
_KINDS = re.compile(
    r"\b(?:Hospital|Medical Cent(?:er|re)|Med Ctr|Health Center|Healthcare|Health System|Clinics?|"
    r"Infirmary|Hospice|Nursing Home|Children's|Cancer (?:Center|Institute)|Heart Institute|"
    r"Rehabilitation Center|Surgery Center|"
    r"University|Institute|Center|Memorial|Pharmacy|Laboratory|Laboratories)\b",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"\b(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|Circle|Parkway|Highway|"
    r"Square|Trail|Terrace|Close|Crescent)\b",
    re.IGNORECASE,
)
_LONGEST_ACRONYM = 6


class Lists(msgspec.Struct, frozen=True):
    """Names of a language."""

    female: tuple[str, ...]
    male: tuple[str, ...]
    surname: tuple[str, ...]


class Places(msgspec.Struct, frozen=True):
    """Invented cities, streets and facilities."""

    city: tuple[str, ...]
    street: tuple[str, ...]
    facility: tuple[str, ...]


@cache
def name_lists(language: str) -> Lists:
    """The names of a language: ``en``, ``es`` or ``sv``."""
    return Lists(**{kind: _words(text) for kind, text in _raw()[language].items()})


@cache
def place_lists() -> Places:
    """Invented places."""
    return Places(**{kind: _words(text) for kind, text in _raw()["places"].items()})


@cache
def _raw() -> dict[str, dict[str, str]]:
    found: dict[str, Any] = tomllib.loads(data_text("names.toml"))
    return found


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


@cache
def genders() -> dict[str, str]:
    """Given names in lower case → ``female`` or ``male``, those that are both left out."""
    found: dict[str, set[str]] = {}
    for language in ("en", "es", "sv"):
        lists = name_lists(language)
        for gender, names in (("female", lists.female), ("male", lists.male)):
            for name in names:
                found.setdefault(name.lower(), set()).add(gender)
    return {name: next(iter(kinds)) for name, kinds in found.items() if len(kinds) == 1}


class Namer:
    """Surrogates of a document's names.

    Args:
        secret: of the patient.
        language: whose names are given.
        mentions: every name in the document, to tell first names from last ones, and never to give
            one of them.
    """

    def __init__(self, secret: Secret, language: str, mentions: Iterable[str]) -> None:
        self._secret = secret
        self._lists = name_lists(language)
        self._roles: dict[str, Role] = {}
        mentions = sorted(set(mentions))
        for mention in sorted(mentions, key=lambda each: -len(_names(each))):
            for word, role in _roles(mention):
                self._roles.setdefault(word, role)
        self._avoid = frozenset(word.lower() for mention in mentions for word in _TOKEN.findall(mention))

    def person(self, mention: str) -> str:
        """The name with every part replaced; titles, particles, signs and case stay."""
        return _TOKEN.sub(lambda match: self._part(match[0]), mention)

    def _part(self, word: str) -> str:
        key = word.lower()
        if key in _KEPT:
            return word
        if len(word) == 1:
            return _cased(self._initial(key), word)
        return _cased(self._whole(key, self._roles.get(key, "surname")), word)

    def _whole(self, key: str, role: Role) -> str:
        if role == "surname":
            return self._secret.choice("surname", key, self._lists.surname, self._avoid)
        gender = genders().get(key)
        choices = {
            "female": self._lists.female,
            "male": self._lists.male,
            None: self._lists.female + self._lists.male,
        }
        return self._secret.choice("given", key, choices[gender], self._avoid)

    def _initial(self, letter: str) -> str:
        """That of the surrogate of the one name that begins so, where there is one."""
        for role in ("surname", "given"):
            whole = sorted(word for word, known in self._roles.items() if word[0] == letter and known == role)
            if len(whole) == 1:
                return self._whole(whole[0], role)[0]
        others = [each for each in "ABCDEFGHJKLMNPRSTVW" if each.lower() != letter]
        return self._secret.choice("initial", letter, others)


def _names(mention: str) -> list[str]:
    return [word for word in _TOKEN.findall(mention) if len(word) > 1 and word.lower() not in _KEPT]


def _roles(mention: str) -> list[tuple[str, Role]]:
    """Each part and what it is: *Doe, Jane* and *Jane Doe* have the same surname."""
    names = [name.lower() for name in _names(mention)]
    if len(names) == 1:
        is_given = names[0] in genders() or bool(
            re.search(rf"{re.escape(names[0])}\s+[^\W\d_]\b", mention, re.IGNORECASE)
        )
        return [(names[0], "given" if is_given else "surname")]
    if "," in mention:
        first = [name.lower() for name in _names(mention.partition(",")[0])]
        return [(name, "surname" if name in first else "given") for name in names]
    return [(name, "surname" if place == len(names) - 1 else "given") for place, name in enumerate(names)]


def place(secret: Secret, text: str) -> str:
    """An invented street or city; states and countries stay."""
    if text.lower() in terms().regions:
        return text
    street = _STREET.search(text)
    if text[:1].isdigit() or street:
        number = re.match(r"\d+\w?", text)
        name = secret.choice("street", text.lower(), place_lists().street)
        return f"{_number(secret, number[0]) if number else ''}{name} {street[0] if street else 'Street'}"
    head, comma, rest = text.partition(",")
    name = secret.choice("city", head.lower(), place_lists().city)
    if comma and rest.strip():
        state = re.match(r"\s*[A-Z]{2}\b", rest)
        return _cased(name, head) + (f",{state[0]}" if state else "")
    return _cased(name, text)


def _number(secret: Secret, number: str) -> str:
    return f"{secret.number('house', number, 9800) + 100} "


def facility(secret: Secret, text: str) -> str:
    """An invented facility of the same kind; an acronym stays one."""
    if text.isupper() and len(text) <= _LONGEST_ACRONYM:
        return secret.scrambled("facility", text)
    name = secret.choice("facility", text.lower(), place_lists().facility)
    kinds = [match for match in _KINDS.finditer(text) if match.start()]
    return _cased(f"{name} {kinds[-1][0]}" if kinds else name, text)


def _cased(new: str, old: str) -> str:
    """In the case of the original: all capitals, none, or as names are written."""
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new.lower() if old.islower() else new[:1].upper() + new[1:]

"""The word lists of data/terms.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


class Terms(msgspec.Struct, frozen=True):
    """Word lists; all but months in lower case.

    ``months`` are twelve names by language and length; ``words`` names that are words too; ``eponyms`` what
    follows the name of a disease or device; ``generic`` what is no name before *Hospital*; ``regions`` states
    and countries; ``small_zip3`` postal areas of fewer than 20,000 people.
    """

    months: dict[str, tuple[str, ...]]
    words: frozenset[str]
    eponyms: frozenset[str]
    generic: frozenset[str]
    regions: frozenset[str]
    small_zip3: frozenset[str]


def data_text(name: str) -> str:
    """A data file of this package."""
    return files("medspan.tasks.deid").joinpath("data", name).read_text(encoding="utf-8")


@cache
def terms() -> Terms:
    """The lists, read once."""
    raw: dict[str, Any] = tomllib.loads(data_text("terms.toml"))
    lists = raw["lists"]
    return Terms(
        months={kind: tuple(names) for kind, names in raw["months"].items()},
        words=_words(lists["words"]),
        eponyms=_words(lists["eponyms"]),
        generic=_words(lists["generic"]),
        regions=_words(lists["states"]) | _words(lists["countries"]),
        small_zip3=frozenset(lists["small_zip3"]),
    )


def as_written(region: str) -> str:
    """A state or country of the list with its capitals."""
    if region in {"usa", "uk"}:
        return region.upper()
    return " ".join(word[:1].upper() + word[1:] for word in region.split())


def _words(text: str) -> frozenset[str]:
    """The words of a list; an underscore stands for a blank."""
    return frozenset(word.replace("_", " ").lower() for word in text.split())

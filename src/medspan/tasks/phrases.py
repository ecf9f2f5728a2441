"""The small language of phrases in tables of headings and cues.

``a|b`` stands for either word, ``[a]`` for words that may be missing, ``[a b|c]`` for one of several or none:
``no|without [any|clear] evidence of`` is six phrases.
"""

from __future__ import annotations

import re
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medspan.errors import ConfigError, did_you_mean
from medspan.toml import convert, read_toml

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

    Table = TypeVar("Table", bound=msgspec.Struct)

MOST_EXPANSIONS = 2000
_TABLES = Path(__file__).parent / "tables"
_PART = re.compile(r"\[([^\[\]]*)\]|([^\s\[\]]+)")


def expand(phrase: str) -> list[str]:
    """The plain phrases a phrase stands for, words parted by single blanks.

    Raises:
        ValueError: saying what is wrong: no word, a bracket that is not closed, too many phrases.
    """
    if re.search(r"[\[\]]", re.sub(r"\[[^\[\]]*\]", "", phrase)):
        raise ValueError("a bracket is not opened or not closed")
    choices: list[list[str]] = []
    for optional, word in _PART.findall(phrase):
        choices.append(word.split("|") if word else ["", *optional.split("|")])
        if "" in word.split("|") and word:
            raise ValueError("a blank or nothing stands beside |")
    if prod(map(len, choices)) > MOST_EXPANSIONS:
        raise ValueError(f"it stands for more than {MOST_EXPANSIONS:,} phrases; write several")
    found = dict.fromkeys(" ".join(" ".join(chosen).split()) for chosen in product(*choices))
    if not found or "" in found:
        raise ValueError("a phrase needs at least one word that is not in brackets")
    return list(found)


def expand_all(phrases: Sequence[str], where: str) -> list[str]:
    """`expand` of many phrases.

    Raises:
        ConfigError: naming ``where`` and the phrase.
    """
    found: list[str] = []
    for phrase in phrases:
        try:
            found += expand(phrase)
        except ValueError as error:
            raise ConfigError(f"{where}: phrase {phrase!r}: {error}") from None
    return found


def read_table(source: Path, kind: type[Table]) -> Table:
    """A table in TOML.

    Raises:
        ConfigError: naming the file, the key and what is allowed there.
    """
    return convert(read_toml(source, "table"), kind, str(source))


def packaged_table(kind: str, language: str) -> Path:
    """The file of a table that comes with medspan, such as ``sections-en.toml``.

    Raises:
        ConfigError: if there is none in this language.
    """
    path = _TABLES / f"{kind}-{language}.toml"
    if not path.is_file():
        known = [found.stem.partition("-")[2] for found in _TABLES.glob(f"{kind}-*.toml")]
        raise ConfigError(f"no {kind} in the language {language!r}; {did_you_mean(language, known)}")
    return path

"""Cues of assertion: the tables they stand in, and the one tree of words that finds them all.

A table is TOML; ``tables/cues-en.toml`` explains its form. Kinds of phrase follow ConText (Harkema et al.
2009, "ConText: an algorithm for determining negation, experiencer, and temporal status from clinical
reports").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from medspan.tasks.phrases import expand_all, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Status = Literal[
    "absent", "possible", "conditional", "hypothetical", "associated_with_someone_else", "historical"
]
Direction = Literal["forward", "backward", "both"]
ENUMERATOR = "#)"
"""How ``1)`` and ``2.`` are written in a table: any number of a list."""
SENTENCE_END = "$"
"""The word behind the last one of a sentence."""

# An enumerator, a word (contractions are one), or any other character.
WORD = re.compile(r"(?<!\S)(?:\d{1,2}(?:\)|\.(?=\s+[A-Z])))|\w+(?:['’]\w+)*|[^\w\s]")  # noqa: RUF001
_RUNS = re.compile(r"\w+|[^\w\s]")
_COMMON_WORDS = """
a an and any are as at be been by for found from had has have he her his in is it noted of on or
patient s she that the there they this to was well were with year years , . : ; - ( ) / att av den
det en ett för har hon han i kan med och om på som till var är
"""
_COMMON = frozenset(_COMMON_WORDS.split())
"""Words of cues, English and Swedish, that most sentences have."""
_END: Any = None  # the key of a node's cue; words are the other keys


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a table; a key nobody knows is an error."""


class CueGroup(_Strict, frozen=True):
    """Cues that say the same.

    Attributes:
        says: statuses.
        direction: where the entities stand, seen from the cue.
        words: how many words the scope reaches; 0 for the end of the sentence.
        phrases: in the language of `medspan.tasks.phrases`.
    """

    says: tuple[Status, ...]
    direction: Direction
    phrases: list[str]
    words: Annotated[int, Meta(ge=0)] = 0


class StopGroup(_Strict, frozen=True):
    """Phrases that end scopes: those of the statuses in ``ends``, of all where it is empty."""

    phrases: list[str]
    ends: tuple[Status, ...] = ()


class _Pseudo(_Strict, frozen=True):
    """Phrases that say nothing and hide the cues inside them."""

    phrases: list[str] = []


class CueTable(_Strict, frozen=True):
    """A table of cues.

    Attributes:
        cues: what phrases say.
        stops: phrases that end scopes.
        pseudo: phrases that only look like cues.
        sections: by label of a section, what is said of every entity in it.
    """

    cues: list[CueGroup] = []
    stops: list[StopGroup] = []
    pseudo: _Pseudo = _Pseudo()
    sections: dict[str, tuple[Status, ...]] = {}


class Reach(NamedTuple):
    """How far a cue says something: ``forward`` and ``backward`` in words, 0 for not at all."""

    says: tuple[Status, ...]
    forward: int
    backward: int


class Cue(NamedTuple):
    """What a phrase does.

    Attributes:
        reaches: what it says, and how far.
        ends: statuses whose scopes it ends.
        name: the first words of it, for those who look at what was found.
    """

    reaches: tuple[Reach, ...]
    ends: frozenset[Status]
    name: str


class Found(NamedTuple):
    """A cue in a sentence: words ``first`` to ``stop`` (exclusive)."""

    first: int
    stop: int
    cue: Cue


ALL: frozenset[Status] = frozenset(Status.__args__)  # type: ignore[attr-defined]
FAR = 1 << 20
"""Words to the end of any sentence."""


class CueFinder:
    """All cues of some tables in one tree of words; a phrase of a later table wins over those before.

    Args:
        tables: files.

    Raises:
        ConfigError: if a table is malformed.
    """

    def __init__(self, tables: Sequence[Path]) -> None:
        cues: dict[tuple[str, ...], Cue] = {}
        self.sections: dict[str, tuple[Status, ...]] = {}
        for path in tables:
            table = read_table(path, CueTable)
            cues |= _phrases(table, path)
            self.sections |= table.sections
        self._root: dict[str, Any] = {}
        for words, cue in cues.items():
            node = self._root
            for word in words:
                node = node.setdefault(word, {})
            node[_END] = cue
        said = (words for words, cue in cues.items() if cue.reaches)
        self._keys = {max(_RUNS.findall(" ".join(words)), key=_rarity) for words in said}

    def may_find(self, text: str) -> bool:
        """Whether a cue of a text might say something; quick, as most sentences have none.

        Each cue that says something is asked for by one of its words that is seldom found elsewhere.

        Args:
            text: a sentence.
        """
        return not self._keys.isdisjoint(_RUNS.findall(text.lower()))

    def find(self, words: Sequence[str]) -> list[Found]:
        """Cues of a sentence, in order, none overlapping: at each word the longest wins.

        Args:
            words: of `words_of`.
        """
        found: list[Found] = []
        root, place, count = self._root, 0, len(words)
        while place < count:
            node = root.get(words[place])
            place += 1
            if node is None:
                continue
            first, at, best, stop = place - 1, place, node.get(_END), place
            while at < count and (node := node.get(words[at])) is not None:
                at += 1
                if _END in node:
                    best, stop = node[_END], at
            if best is not None:
                found.append(Found(first, stop, best))
                place = stop
        return found


def _rarity(word: str) -> tuple[bool, int]:
    """Orders the words of a phrase from common to rare."""
    return word not in _COMMON, len(word)


def words_of(text: str) -> list[str]:
    """The words of a text as `CueFinder.find` wants them: lower case, list numbers as `ENUMERATOR`."""
    words: list[str] = WORD.findall(text)
    joined = "\n".join(words).lower().replace("’", "'")  # noqa: RUF001 - the apostrophe of word processors
    # Only a list number has several characters and ends like this.
    return (
        [ENUMERATOR if word[-1] in ".)" and len(word) > 1 else word for word in joined.split("\n")]
        if words
        else []
    )


def _phrases(table: CueTable, path: Path) -> dict[tuple[str, ...], Cue]:
    """What each phrase of a table does, by its words; phrases of several groups do all of it."""
    cues: dict[tuple[str, ...], Cue] = {}
    for group in table.cues:
        far = group.words or FAR
        reach = Reach(
            group.says,
            far if group.direction != "backward" else 0,
            far if group.direction != "forward" else 0,
        )
        for words in _words(group.phrases, f"{path}: cues"):
            before = cues.get(words, Cue((), frozenset(), " ".join(words)))
            cues[words] = before._replace(reaches=tuple(dict.fromkeys((*before.reaches, reach))))
    for stops in table.stops:
        for words in _words(stops.phrases, f"{path}: stops"):
            before = cues.get(words, Cue((), frozenset(), " ".join(words)))
            cues[words] = before._replace(ends=before.ends | (frozenset(stops.ends) or ALL))
    for words in _words(table.pseudo.phrases, f"{path}: pseudo"):
        cues[words] = Cue((), frozenset(), " ".join(words))
    return cues


def _words(phrases: Iterable[str], where: str) -> Iterable[tuple[str, ...]]:
    for phrase in expand_all(list(phrases), where):
        yield tuple(
            ENUMERATOR if part == ENUMERATOR else word for part in phrase.split() for word in _split(part)
        )


def _split(part: str) -> list[str]:
    return [part] if part == ENUMERATOR else words_of(part)

"""How often strings stand in a corpus, and what became of them there: labelled, part of a mention, or bare.

Strings are runs of words; two are the same if their words are, case and blanks aside. Words in capitals of
at most five letters keep their case, as in `medspan.weak.dictionary`: *SET* is a gene, *set* is not. A text
is read once whatever the number of strings: a run of words is looked up where its first word begins one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from medspan.text.tokenize import tokenize
from medspan.weak.dictionary import SHORT_CAPITALS, fold

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from medspan.types import Document, Entity

Key = tuple[str, ...]

MOST_WORDS = 12
"""Longer mentions are phrases that seldom stand twice; they are counted as mentions, not looked up."""


class Fates(msgspec.Struct):
    """What became of the places where a string stands on word borders.

    ``exact`` are mentions with the same borders; ``longer``: it is part of a longer mention; ``shorter``: a
    mention is part of it; ``crossing``: neither; ``bare``: nothing there is labelled.
    """

    exact: int = 0
    longer: int = 0
    shorter: int = 0
    crossing: int = 0
    bare: int = 0
    labels: Counter[str] = msgspec.field(default_factory=Counter)
    before: Counter[str] = msgspec.field(default_factory=Counter)
    """Words that longer mentions have before the string."""
    after: Counter[str] = msgspec.field(default_factory=Counter)
    """The same behind it."""

    @property
    def places(self) -> int:
        """How often the string stands in the text."""
        return self.exact + self.labelled_otherwise + self.bare

    @property
    def labelled_otherwise(self) -> int:
        """Places with a mention of other borders."""
        return self.longer + self.shorter + self.crossing

    @property
    def labelled(self) -> int:
        """Places with a mention, whatever its borders."""
        return self.exact + self.labelled_otherwise

    @property
    def label(self) -> str:
        """The label of most mentions with the same borders; empty without any."""
        return min(self.labels, key=lambda name: (-self.labels[name], name), default="")


class Mentions(msgspec.Struct):
    """The mentions of a corpus by string."""

    documents: int = 0
    words: int = 0
    count: int = 0
    mention_words: int = 0
    one_word: int = 0
    surfaces: defaultdict[Key, Counter[str]] = msgspec.field(default_factory=lambda: defaultdict(Counter))

    def times(self, key: Key) -> int:
        """How often a string is a mention."""
        return self.surfaces[key].total() if key in self.surfaces else 0

    def surface(self, key: Key) -> str:
        """A string as it is most often written."""
        written = self.surfaces[key]
        return " ".join(min(written, key=lambda text: (-written[text], text)).split())


class _Placed(NamedTuple):
    """A mention on words ``first`` to ``stop``; ``is_whole`` if it is one part on word borders."""

    first: int
    stop: int
    label: str
    is_whole: bool


def key_of(text: str) -> Key:
    """What strings that are the same share."""
    return tuple(_keys(text, tokenize(text)))


def _keys(text: str, words: Iterable[tuple[int, int]]) -> list[str]:
    return [_key(text[start:end]) for start, end in words]


def _key(word: str) -> str:
    is_acronym = 1 < len(word) <= SHORT_CAPITALS and word.isalpha() and word.isupper()
    return word if is_acronym else fold(word)


def mentions_of(documents: Iterable[Document], labels: Collection[str]) -> Mentions:
    """The mentions of some labels; those of several parts or off word borders are counted, but no strings."""
    found = Mentions()
    for document in documents:
        words = tokenize(document.text)
        found.documents += 1
        found.words += len(words)
        for placed in _placed(document, words, labels):
            length = placed.stop - placed.first
            found.count += 1
            found.mention_words += length
            found.one_word += length == 1
            if placed.is_whole and length <= MOST_WORDS:
                text = document.text[words[placed.first][0] : words[placed.stop - 1][1]]
                found.surfaces[key_of(text)][text] += 1
    return found


def fates_of(
    documents: Iterable[Document], labels: Collection[str], strings: Collection[Key]
) -> dict[Key, Fates]:
    """What became of each string that stands in the documents.

    Args:
        documents: annotated ones.
        labels: of the mentions that count.
        strings: to look for.
    """
    lengths = _lengths(strings)
    wanted = frozenset(strings)
    found: defaultdict[Key, Fates] = defaultdict(Fates)
    for document in documents:
        words = tokenize(document.text)
        keys = _keys(document.text, words)
        mentions = _by_word(_placed(document, words, labels))
        for first, key in _occurrences(keys, wanted, lengths):
            stop = first + len(key)
            over = dict.fromkeys(each for place in range(first, stop) for each in mentions.get(place, ()))
            _count(found[key], first, stop, over, keys)
    return dict(found)


def _by_word(mentions: Iterable[_Placed]) -> dict[int, list[_Placed]]:
    """The mentions of each word, so that a place is compared with few, however long the text."""
    found: defaultdict[int, list[_Placed]] = defaultdict(list)
    for mention in mentions:
        for place in range(mention.first, mention.stop):
            found[place].append(mention)
    return found


def standing_in(documents: Iterable[Document], strings: Collection[Key]) -> set[Key]:
    """The strings that stand in the documents at all."""
    lengths, wanted = _lengths(strings), frozenset(strings)
    return {
        key
        for document in documents
        for _, key in _occurrences(_keys(document.text, tokenize(document.text)), wanted, lengths)
    }


def _lengths(strings: Iterable[Key]) -> dict[str, tuple[int, ...]]:
    """Numbers of words of the strings, by first word."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for key in strings:
        if key:
            found[key[0]].add(len(key))
    return {word: tuple(sorted(sizes)) for word, sizes in found.items()}


def _occurrences(
    keys: Sequence[str], wanted: frozenset[Key], lengths: dict[str, tuple[int, ...]]
) -> Iterator[tuple[int, Key]]:
    for first, word in enumerate(keys):
        for length in lengths.get(word, ()):
            run = tuple(keys[first : first + length])
            if len(run) == length and run in wanted:
                yield first, run


def _placed(document: Document, words: Sequence[tuple[int, int]], labels: Collection[str]) -> list[_Placed]:
    chosen = [entity for entity in document.entities if entity.label in labels]
    if not chosen or not words:
        return []
    starts, ends = [start for start, _ in words], [end for _, end in words]
    return [placed for entity in chosen if (placed := _place(entity, starts, ends))]


def _place(entity: Entity, starts: Sequence[int], ends: Sequence[int]) -> _Placed | None:
    first, stop = bisect_right(ends, entity.start), bisect_left(starts, entity.end)
    if stop <= first:
        return None  # blanks only
    is_whole = starts[first] == entity.start and ends[stop - 1] == entity.end and not entity.is_discontinuous
    return _Placed(first, stop, entity.label, is_whole)


def _count(fates: Fates, first: int, stop: int, over: Collection[_Placed], keys: Sequence[str]) -> None:
    """Count one place of a string by the mentions that overlap it."""
    exact = [
        mention for mention in over if mention.is_whole and (mention.first, mention.stop) == (first, stop)
    ]
    around = [mention for mention in over if mention.first <= first and stop <= mention.stop]
    if exact:
        fates.exact += 1
        fates.labels[exact[0].label] += 1
    elif around:
        fates.longer += 1
        fates.before.update([" ".join(keys[around[0].first : first])] if around[0].first < first else [])
        fates.after.update([" ".join(keys[stop : around[0].stop])] if stop < around[0].stop else [])
    elif any(first <= mention.first and mention.stop <= stop for mention in over):
        fates.shorter += 1
    elif over:
        fates.crossing += 1
    else:
        fates.bare += 1

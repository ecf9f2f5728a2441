"""Annotation conventions of corpora of a type, held against each other: pure counting.

Every string that one corpus labels is looked up in the text of the others. A clash is a string that is
labelled at more than four fifths of its places in the one and at less than a fifth in the other; or labelled
in both with other borders, or with another label that both know.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from medspan.metrics import Score
from medspan.metrics.counts import ratio
from medspan.study.causes import CAUSES, cause_of
from medspan.study.strings import Fates, fates_of, mentions_of, standing_in
from medspan.study.structs import Borders, Cause, Clash, CorpusFacts, Limits, Pair, TypeStudy
from medspan.weak.dictionary import Lexicon
from medspan.weak.terms import Term

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from medspan.study.members import Member
    from medspan.study.strings import Key, Mentions
    from medspan.types import Document

_MAJORITY = 0.5
_EVERYWHERE = 0.8
_FEWEST_TEXTS = 4
_ADDED, _EXAMPLES, _LISTED, _TOP = 12, 8, 40, 10


class Texts(NamedTuple):
    """The documents of each corpus, by its name in the recipe, and what each corpus was read from."""

    documents: Mapping[str, Sequence[Document]]
    sources: Mapping[str, str]
    public: Collection[str]
    """Corpora whose strings may be shown."""


class _Side(NamedTuple):
    """A corpus of a type, counted; ``own`` is the score of its strings on itself."""

    member: Member
    mentions: Mentions
    fates: dict[Key, Fates]
    documents: Sequence[Document]
    lexicon: Lexicon
    own: Score
    is_public: bool


class _Found(NamedTuple):
    """A clash before its cause is known; ``bare`` where the second corpus labels nothing."""

    key: Key
    how: str
    clashing: int


_ABSENT = Fates()


def find_clashes(
    types: Mapping[str, Sequence[Member]],
    texts: Texts,
    limits: Limits,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[TypeStudy, ...]:
    """Compare the corpora of each type, pair by pair and in both directions.

    Args:
        types: members by entity type.
        texts: their documents, and those of the recipe's other corpora, which show what words are general.
        limits: when a string clashes.
        tell: hears a line on each step, without text of documents.
    """
    sides = {}
    for kind, members in types.items():
        tell(f"counting strings of {kind} in {len(members)} corpora")
        sides[kind] = _counted(members, texts)
    found = {
        (kind, first.member.name, second.member.name): _clashing(first, second, limits)
        for kind, group in sides.items()
        for first in group
        for second in group
        if first.member.corpus != second.member.corpus
    }
    general = _general({each.key for clashes in found.values() for each in clashes}, texts)
    studies = []
    for kind, group in sides.items():
        tell(f"comparing the corpora of {kind}")
        pairs = tuple(
            _pair(first, second, found[kind, first.member.name, second.member.name], general, limits)
            for first in group
            for second in group
            if first.member.corpus != second.member.corpus
        )
        facts = tuple(_facts(side, texts.sources[side.member.corpus]) for side in group)
        studies.append(TypeStudy(kind, facts, pairs))
    return tuple(studies)


def _counted(members: Sequence[Member], texts: Texts) -> list[_Side]:
    mentions = [mentions_of(texts.documents[member.corpus], member.labels) for member in members]
    strings = {key for found in mentions for key in found.surfaces}
    return [_side(member, found, strings, texts) for member, found in zip(members, mentions, strict=True)]


def _side(member: Member, found: Mentions, strings: Collection[Key], texts: Texts) -> _Side:
    documents = texts.documents[member.corpus]
    fates = fates_of(documents, member.labels, strings)
    lexicon = _lexicon(found, fates)
    own, _ = _agreement(lexicon, documents, member.labels, found.count)
    return _Side(member, found, fates, documents, lexicon, own, member.corpus in texts.public)


def _shared(first: _Side, second: _Side, limits: Limits) -> list[Key]:
    return [
        key
        for key in first.mentions.surfaces
        if first.fates[key].exact >= limits.at_least
        and second.fates.get(key, _ABSENT).places >= limits.occurs
    ]


def _clashing(first: _Side, second: _Side, limits: Limits) -> list[_Found]:
    """Strings the two do not agree on, the most places first."""
    known = set(first.member.labels) & set(second.member.labels)
    found = [
        _Found(key, *clash)
        for key in _shared(first, second, limits)
        if (clash := _clash(first.fates[key], second.fates[key], limits, known))
    ]
    return sorted(found, key=lambda each: (-each.clashing, each.key))


def _clash(one: Fates, other: Fates, limits: Limits, known: Collection[str]) -> tuple[str, int] | None:
    """How a string clashes and at how many places of the other corpus; None where it does not."""
    if ratio(one.labelled, one.places) > limits.high and ratio(other.labelled, other.places) < limits.low:
        return "bare", other.bare
    if ratio(one.exact, one.places) <= limits.high:
        return None
    if other.labelled >= limits.occurs and ratio(other.exact, other.labelled) < limits.low:
        ways = {"longer": other.longer, "shorter": other.shorter, "crossing": other.crossing}
        return max(ways, key=lambda name: ways[name]), other.labelled_otherwise
    same = other.labels[one.label]
    if one.label in known and other.exact >= limits.occurs and ratio(same, other.exact) < limits.low:
        others = sum(count for label, count in other.labels.items() if label in known and label != one.label)
        return ("label", others) if others >= limits.occurs else None
    return None


def _general(strings: Collection[Key], texts: Texts) -> frozenset[Key]:
    """Strings that stand in nearly every text of the study; too few texts tell nothing.

    Corpora of the same texts, told apart by types, are one.
    """
    different = {_digest(documents): documents for documents in texts.documents.values()}
    if len(different) < _FEWEST_TEXTS:
        return frozenset()
    often = Counter(key for documents in different.values() for key in standing_in(documents, strings))
    return frozenset(key for key, count in often.items() if count >= _EVERYWHERE * len(different))


def _digest(documents: Iterable[Document]) -> bytes:
    digest = hashlib.blake2b()
    for document in documents:
        digest.update(document.text.encode("utf-8", "surrogatepass"))
    return digest.digest()


def _pair(
    first: _Side, second: _Side, found: Sequence[_Found], general: Collection[Key], limits: Limits
) -> Pair:
    clashes = [_as_clash(each, first, second, is_everywhere=each.key in general) for each in found]
    is_shown = first.is_public and second.is_public
    shown = clashes if is_shown else [msgspec.structs.replace(clash, string="") for clash in clashes]
    member, count = second.member, second.mentions.count
    dictionary, wrong_bare = _agreement(first.lexicon, second.documents, member.labels, count)
    shared = _shared(first, second, limits)
    places = sum(clash.clashing for clash in clashes)
    return Pair(
        first=first.member.name,
        second=member.name,
        shared=len(shared),
        clashing=len(clashes),
        mention_share=ratio(sum(clash.mentions for clash in clashes), first.mentions.count),
        places=places,
        per_100=100 * ratio(places, count),
        dictionary=dictionary,
        own_precision=first.own.precision,
        wrong_bare=wrong_bare,
        borders=_borders(first, second, limits),
        causes=_causes(shown),
        clashes=tuple(shown[:_LISTED]),
    )


def _as_clash(found: _Found, first: _Side, second: _Side, *, is_everywhere: bool) -> Clash:
    one, other = first.fates[found.key], second.fates[found.key]
    surface = first.mentions.surface(found.key)
    cause = cause_of(found.key, surface, is_everywhere=is_everywhere) if found.how == "bare" else found.how
    return Clash(
        string=surface,
        cause=cause,
        mentions=one.exact,
        share=ratio(one.labelled if found.how == "bare" else one.exact, one.places),
        places=other.places,
        exact=other.exact,
        clashing=found.clashing,
    )


def _causes(clashes: Sequence[Clash]) -> tuple[Cause, ...]:
    """The clashes by cause, the most places first."""
    causes = []
    for name in CAUSES:
        same = [clash for clash in clashes if clash.cause == name]
        if same:
            examples = tuple(clash.string for clash in same[:_EXAMPLES] if clash.string)
            mentions, places = (sum(getattr(c, what) for c in same) for what in ("mentions", "clashing"))
            causes.append(Cause(name, len(same), mentions, places, examples))
    return tuple(sorted(causes, key=lambda cause: -cause.places))


def _borders(first: _Side, second: _Side, limits: Limits) -> Borders:
    """What the second makes of strings that the first labels as they stand."""
    total, added = Fates(), Counter[str]()
    for key in first.mentions.surfaces:
        one, other = first.fates[key], second.fates.get(key)
        if other is None or one.exact < limits.at_least or ratio(one.exact, one.places) <= limits.high:
            continue
        for name in ("exact", "longer", "shorter", "crossing"):
            setattr(total, name, getattr(total, name) + getattr(other, name))
        added.update({f"{words} …": count for words, count in other.before.items()})
        added.update({f"… {words}": count for words, count in other.after.items()})
    top = sorted(added.items(), key=lambda item: (-item[1], item[0]))[:_ADDED]
    shown = tuple(top) if first.is_public and second.is_public else ()
    return Borders(total.exact, total.longer, total.shorter, total.crossing, shown)


def _lexicon(mentions: Mentions, fates: Mapping[Key, Fates]) -> Lexicon:
    """The strings a corpus labels at most of the places where they are no part of a longer mention."""
    chosen = (
        key
        for key in mentions.surfaces
        if ratio(fates[key].exact, fates[key].places - fates[key].longer) >= _MAJORITY
    )
    return Lexicon(Term(mentions.surface(key), "mention") for key in chosen)


def _agreement(
    lexicon: Lexicon, documents: Iterable[Document], labels: Collection[str], count: int
) -> tuple[Score, int]:
    """The strict score of strings on a corpus of so many mentions, and wrong marks where nothing is labelled.

    Labels of the strings do not matter.
    """
    tp = wrong = wrong_bare = 0
    for document in documents:
        marked = {(match.start, match.end) for match in lexicon.find(document.text)}
        if not marked:
            continue
        gold = {(e.start, e.end) for e in document.entities if e.label in labels}
        tp += len(marked & gold)
        wrong += len(marked - gold)
        wrong_bare += sum(
            all(stop <= start or end <= first for start, end in gold) for first, stop in marked - gold
        )
    return Score.of(tp, wrong, count - tp), wrong_bare


def _facts(side: _Side, source: str) -> CorpusFacts:
    found = side.mentions
    often = Counter({key: found.times(key) for key in found.surfaces})
    top = sorted(often.items(), key=lambda item: (-item[1], item[0]))[:_TOP] if side.is_public else []
    return CorpusFacts(
        name=side.member.name,
        source=source,
        labels=side.member.labels,
        is_public=side.is_public,
        documents=found.documents,
        words=found.words,
        mentions=found.count,
        strings=len(found.surfaces),
        words_per_mention=round(ratio(found.mention_words, found.count), 3),
        one_word_share=round(ratio(found.one_word, found.count), 4),
        mentions_per_1000_words=round(1000 * ratio(found.count, found.words), 2),
        top=tuple((found.surface(key), count) for key, count in top),
    )

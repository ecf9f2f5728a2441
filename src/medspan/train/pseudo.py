"""Sentences a model is sure of, as training data: thresholds from dev, then a choice from unlabelled text.

A score says how likely a mention is right only as far as it is calibrated; so the thresholds are read off
the dev split instead of trusted: the lowest score from which on the wanted share of dev mentions (of dev
sentences) is right.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from medspan.types import Document
from medspan.weak.sentences import Sample, sentences, text_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from medspan.model.confidence import Rated
    from medspan.model.tagger import Tagger

FEWEST = 10
"""Predictions a threshold rests on at least."""
_CHUNK = 512

Judged = tuple[float, bool]
"""A score, or the log-probability of a sentence, and whether the prediction is right."""


class Thresholds(msgspec.Struct, frozen=True):
    """From where on a prediction is trusted; None where dev gives no reason to trust any.

    entity: by label, the lowest score of a mention. with_entities, without_entities: the lowest
    log-probability of a sentence in which something, or nothing, was found.
    """

    entity: dict[str, float | None]
    with_entities: float | None
    without_entities: float | None

    def trusts(self, rated: Rated) -> bool:
        """Whether a sentence and all that was found in it are sure enough to learn from."""
        found = rated.document.entities
        limit = self.with_entities if found else self.without_entities
        if limit is None or rated.log_probability < limit:
            return False
        limits = [(entity.score or 0.0, self.entity.get(entity.label)) for entity in found]
        return all(lowest is not None and score >= lowest for score, lowest in limits)


class Chosen(NamedTuple):
    """The sentences chosen from unlabelled text, and how many were read and trusted."""

    documents: list[Document]
    read: int
    trusted: int


def threshold(judged: Iterable[Judged], share: float, *, fewest: int = FEWEST) -> float | None:
    """The lowest value from which on at least ``share`` of the predictions are right.

    Args:
        judged: values and whether each prediction is right.
        share: wanted share, 0 to 1.
        fewest: predictions that must lie at or above the threshold.

    Returns:
        A value that occurs, or None where none will do.
    """
    found = None
    right = 0
    ordered = sorted(judged, reverse=True)
    for count, (value, is_right) in enumerate(ordered, start=1):
        right += is_right
        is_last_of_value = count == len(ordered) or ordered[count][0] < value
        if is_last_of_value and count >= fewest and right >= share * count:
            found = value
    return found


def calibrated(
    tagger: Tagger, dev: Mapping[str, Sequence[Document]], labels: Mapping[str, frozenset[str]], share: float
) -> Thresholds:
    """Thresholds under which ``share`` of what the model says on dev is right.

    Args:
        tagger: the present model.
        dev: dev documents by corpus.
        labels: by corpus, the labels it annotates; of others it says nothing.
        share: wanted share of right mentions of each label, and of right sentences.
    """
    mentions: defaultdict[str, list[Judged]] = defaultdict(list)
    whole: dict[bool, list[Judged]] = {True: [], False: []}
    for corpus, documents in dev.items():
        gold = list(sentences(documents))
        for right, rated in zip(gold, rate(tagger, gold), strict=True):
            known = _mentions(right, labels[corpus])
            found = _mentions(rated.document, labels[corpus])
            whole[bool(found)].append((rated.log_probability, found.keys() == known.keys()))
            for mention, score in found.items():
                mentions[mention[0]].append((score, mention in known))
    return Thresholds(
        {label: threshold(judged, share) for label, judged in sorted(mentions.items())},
        threshold(whole[True], share),
        threshold(whole[False], share),
    )


def _mentions(document: Document, labels: frozenset[str]) -> dict[tuple[str, int, int], float]:
    return {
        (entity.label, entity.start, entity.end): entity.score or 0.0
        for entity in document.entities
        if entity.label in labels
    }


def rate(tagger: Tagger, documents: Iterable[Document]) -> Iterator[Rated]:
    """Documents with predictions and how sure the model is of each, in order and in flat memory."""
    stream = iter(documents)
    while chunk := list(islice(stream, _CHUNK)):
        yield from tagger.rate(chunk)


def choose(
    tagger: Tagger,
    texts: Iterable[Document],
    thresholds: Thresholds,
    *,
    count: int,
    negatives: float,
    seed: int,
    known: frozenset[int] = frozenset(),
) -> Chosen:
    """Trusted sentences of unlabelled text, as documents with pseudo-labels.

    Args:
        tagger: the present model.
        texts: any amount of documents; memory depends on ``count`` only.
        thresholds: what is trusted.
        count: sentences with entities at most, drawn evenly from all that are trusted.
        negatives: sentences without any, for each of those.
        seed: of the draw.
        known: keys (`text_key`) of sentences that are not to be taken, such as the annotated ones.
    """
    chosen = {True: Sample[Document](count, seed), False: Sample[Document](round(count * negatives), seed)}
    read = trusted = 0
    fresh = (sentence.replace(entities=()) for sentence in sentences(texts))
    for rated in rate(tagger, (each for each in fresh if text_key(each.text) not in known)):
        read += 1
        if rated.words and thresholds.trusts(rated):
            trusted += 1
            chosen[bool(rated.document.entities)].add(rated.document.text, rated.document)
    found = chosen[True].items()
    return Chosen(found + chosen[False].items(round(len(found) * negatives)), read, trusted)

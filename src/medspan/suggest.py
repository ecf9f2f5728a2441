"""Which sentences to annotate next: those a model is least sure of, and that differ from one another.

How unsure a model is of a sentence is the negative log-probability of its best tags under all heads (least
confidence, Culotta and McCallum 2005). Of the least sure ones in any amount of text a pool is kept; sentences
are then taken from it one by one, each time the one whose uncertainty, times how little it resembles the
nearest one already taken, is highest. Resemblance is the cosine of the sentences' words, each weighted by how
rare it is in the pool.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Literal, NamedTuple

from medspan.errors import UsageError, did_you_mean
from medspan.text.normalize import normalize
from medspan.text.tokenize import tokenize
from medspan.weak.sentences import sentences, text_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from medspan.model.confidence import Rated
    from medspan.tasks.ner import EntityRecognizer
    from medspan.types import Document

Measure = Literal["sentence", "word"]
MEASURES: tuple[Measure, ...] = ("sentence", "word")
POOL = 10
"""Sentences in the pool for each one to be suggested."""
LONGEST = 200
"""Words of the longest sentence that is suggested: longer ones are mostly tables and lists."""


class Candidate(NamedTuple):
    """A sentence with the entities found in it, and how unsure the model is of it."""

    document: Document
    uncertainty: float


def suggest(
    recognizer: EntityRecognizer,
    documents: Iterable[Document],
    *,
    count: int = 100,
    by: Measure = "sentence",
    pool: int = POOL,
    longest: int = LONGEST,
    exclude: Iterable[Document] = (),
) -> list[Document]:
    """The sentences that should be annotated next, best first.

    Reads any amount of text in memory that depends on ``count``, ``pool`` and ``exclude`` only. A sentence
    that stands several times counts once, one without a letter or digit not at all. The same text gives the
    same suggestions.

    Args:
        recognizer: the present model.
        documents: unlabelled text; entities it may have are not looked at.
        count: how many sentences.
        by: ``sentence`` where a sentence costs the annotator the same whatever its length, ``word`` where the
            cost is by the word: the uncertainty is then divided by the number of words.
        pool: the least sure sentences kept for the choice, times ``count``.
        longest: words of the longest sentence to suggest.
        exclude: documents whose sentences are not suggested, e.g. those annotated already.

    Returns:
        Sentences as documents, with predictions as entities; ``meta["suggestion"]`` holds rank and
        uncertainty.

    Raises:
        UsageError: if a number is below 1 or the measure is unknown.
    """
    if min(count, pool, longest) < 1:
        raise UsageError("suggest: give a count, a pool and a longest sentence of 1 or more")
    if by not in MEASURES:
        raise UsageError(f"--by {by}: unknown; {did_you_mean(by, MEASURES)}")
    known = {0, *(text_key(sentence.text) for sentence in sentences(exclude))}  # 0: no letter or digit
    fresh = (
        sentence.replace(entities=())
        for sentence in sentences(documents)
        if text_key(sentence.text) not in known
    )
    held = _Pool(count * pool)
    for rated in recognizer.rate(fresh):
        if 0 < rated.words <= longest:
            held.add(Candidate(rated.document, _uncertainty(rated, by)))
    chosen = diverse(held.candidates(), count)
    return [_suggestion(candidate, rank) for rank, candidate in enumerate(chosen, start=1)]


def _uncertainty(rated: Rated, by: Measure) -> float:
    return -rated.log_probability / (rated.words if by == "word" else 1)


def _suggestion(candidate: Candidate, rank: int) -> Document:
    note = {"rank": rank, "uncertainty": round(candidate.uncertainty, 4)}
    return candidate.document.replace(meta={**candidate.document.meta, "suggestion": note})


class _Pool:
    """The most uncertain candidates seen so far, one for each text."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[float, int]] = []  # the least uncertain first: uncertainty and key of the text
        self._by_key: dict[int, Candidate] = {}

    def add(self, candidate: Candidate) -> None:
        """Offer a candidate; of two with the same letters and digits the first stays."""
        key = text_key(candidate.document.text)
        if key in self._by_key:
            return
        rank = (candidate.uncertainty, key)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, rank)
        elif rank > self._heap[0]:
            del self._by_key[heapq.heapreplace(self._heap, rank)[1]]
        else:
            return
        self._by_key[key] = candidate

    def candidates(self) -> list[Candidate]:
        """What is held, the most uncertain first."""
        return [self._by_key[key] for _, key in sorted(self._heap, reverse=True)]


def diverse(candidates: Sequence[Candidate], count: int) -> list[Candidate]:
    """Take candidates one by one: the highest uncertainty times distance from the nearest one taken.

    Args:
        candidates: the pool; of equally good ones the first is taken.
        count: how many to take at most.
    """
    vectors = _vectors([candidate.document.text for candidate in candidates])
    where: defaultdict[str, list[int]] = defaultdict(list)
    for place, vector in enumerate(vectors):
        for form in vector:
            where[form].append(place)
    nearest = [0.0] * len(candidates)
    left = set(range(len(candidates)))
    taken: list[Candidate] = []
    while left and len(taken) < count:
        best = max(left, key=lambda place: (_gain(candidates[place], nearest[place]), -place))
        left.remove(best)
        taken.append(candidates[best])
        for place, cosine in _cosines(vectors, where, best):
            nearest[place] = max(nearest[place], cosine)
    return taken


def _gain(candidate: Candidate, nearest: float) -> float:
    return candidate.uncertainty * max(0.0, 1.0 - nearest)


def _vectors(texts: Sequence[str]) -> list[dict[str, float]]:
    """Of each text its forms with weights: rare forms of the pool weigh more, squares add up to 1."""
    forms = [sorted({normalize(text[start:end]) for start, end in tokenize(text)}) for text in texts]
    seen = Counter(form for found in forms for form in found)
    return [_normed({form: math.log((len(texts) + 1) / seen[form]) for form in found}) for found in forms]


def _normed(weights: dict[str, float]) -> dict[str, float]:
    norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {form: weight / norm for form, weight in weights.items()}


def _cosines(
    vectors: Sequence[dict[str, float]], where: dict[str, list[int]], chosen: int
) -> Iterator[tuple[int, float]]:
    """How much each candidate that shares a form with the chosen one resembles it."""
    sums: defaultdict[int, float] = defaultdict(float)
    for form, weight in vectors[chosen].items():
        for place in where[form]:
            sums[place] += weight * vectors[place][form]
    yield from sums.items()

"""Looks up mentions in one index, and remembers what it found."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from medspan.tasks.resolution.coordination import ways_apart
from medspan.tasks.resolution.evidence import evidence_of
from medspan.tasks.resolution.index import Index
from medspan.tasks.resolution.ranking import Ranked, Ranker
from medspan.types import Concept

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.tasks.resolution.spec import Ranking

CACHED: Final = 1 << 15
"""Mentions whose concepts are remembered; more than that are looked up anew, so memory stays flat."""
LET_GO: Final = 200
"""Look-ups after which the pages of the index that came into memory are let go."""


class Lookup:
    """Concepts of mentions, by one index.

    Args:
        index: an opened index, or its folder.
        most: concepts for a mention at most.
        none_below: the probability of the best concept under which there is none; the index's own where None.
        composites: take coordinated mentions apart where their parts are surer than the whole.
        deep: where a name is met exactly, look for others too: slower, and the first concept stays the same.
        ranking: instead of the index's own.

    Raises:
        ModelError: if the folder is no index.
    """

    def __init__(
        self,
        index: Index | Path | str,
        *,
        most: int = 5,
        none_below: float | None = None,
        composites: bool = True,
        deep: bool = False,
        ranking: Ranking | None = None,
    ) -> None:
        self.index = index if isinstance(index, Index) else Index(index)
        self.most = most
        ranking = ranking or self.index.spec.ranking
        self._ranker = Ranker(ranking)
        self.none_below = ranking.none_below if none_below is None else none_below
        self.composites = composites
        self.deep = deep
        self._looked_up = 0
        self._ranked = lru_cache(maxsize=CACHED)(self._rank)
        self._found = lru_cache(maxsize=CACHED)(self._find)
        self._chosen = lru_cache(maxsize=CACHED)(self.index.first_met)

    def __call__(self, mention: str, *others: str) -> tuple[Concept, ...]:
        """The concepts of a mention, best first; none where no candidate is likely enough.

        Of a coordinated mention come first the best concepts of its parts, in their order.

        Args:
            mention: what is looked up, its short forms written out.
            others: what else it may be called: where the mention is no name of the index, the first of
                these that is one is looked up.
        """
        return self._found(self._chosen(mention, *others) if others else mention)

    def _find(self, mention: str) -> tuple[Concept, ...]:
        whole = self._ranked(mention)
        parts = self._parts(mention, whole) if self.composites and not whole.is_exact else ()
        if parts:
            return self._of_parts(parts)
        if not whole.concepts or whole.scores[0] < self.none_below:
            return ()
        return tuple(self._concept(c, s) for c, s in zip(whole.concepts, whole.scores, strict=True))

    def _rank(self, mention: str) -> Ranked:
        self._looked_up += 1
        if self._looked_up % LET_GO == 0:
            self.index.let_go()
        evidence = evidence_of(self.index, mention, only_exact=not self.deep)
        return self._ranker.rank(evidence, self.most)

    def _parts(self, mention: str, whole: Ranked) -> tuple[Ranked, ...]:
        """The best way to take a mention apart, where its least sure part is surer than the whole."""
        best: tuple[Ranked, ...] = ()
        sure = whole.scores[0] if whole.scores else 0.0
        for way in ways_apart(mention):
            found = tuple(self._ranked(part) for part in way)
            least = min(part.scores[0] if part.scores else 0.0 for part in found)
            if least > sure and least >= self.none_below:
                best, sure = found, least
        return best

    def _of_parts(self, parts: tuple[Ranked, ...]) -> tuple[Concept, ...]:
        """The best concept of each part, then the others by their score; each once."""
        first = [(part.concepts[0], part.scores[0]) for part in parts]
        rest = [pair for part in parts for pair in zip(part.concepts[1:], part.scores[1:], strict=True)]
        rest.sort(key=lambda pair: -pair[1])
        scores: dict[int, float] = {}
        for concept, score in (*first, *rest):
            scores.setdefault(concept, score)
        most = max(self.most, len({concept for concept, _ in first}))
        return tuple(self._concept(concept, score) for concept, score in list(scores.items())[:most])

    def _concept(self, number: int, score: float) -> Concept:
        name = self.index.names[int(self.index.best_name[number])]
        return Concept(self.index.ids[number], name, round(score, 4))

"""One model or several → the marginals a student's heads learn from.

Heads are matched by label: a label of a student's head is taught by every teacher that has it, in the head of
the same name where the teacher has one, else in its heads with the label that learnt from a corpus of the
student's head, for corpora differ in what they annotate, else in all its heads with the label. Their
marginals are averaged with the teachers' weights. What a teacher's head says of other labels counts as ``O``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from medspan.errors import UsageError
from medspan.model.marginals import tag_marginals
from medspan.tags import iobes_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from medspan.model.tagger import Scored, Tagger
    from medspan.model.viterbi import TagDecoder
    from medspan.types import Document

    Ints = NDArray[np.int64]


class Teacher(NamedTuple):
    """A model, read, how much it counts beside others, and from which corpora each of its heads learnt."""

    tagger: Tagger
    weight: float = 1.0
    corpora: Mapping[str, Collection[str]] = {}


class _Part(NamedTuple):
    """What a head of a teacher gives a head of the student: the tags ``given`` become ``taken``."""

    head: str
    given: list[int]
    taken: list[int]
    weight: float


class Teachers:
    """Several models that teach together.

    Args:
        teachers: the models.
        heads: labels of each head of the student.
        corpora: from which corpora each of them learns.

    Raises:
        UsageError: if no head of the student has all its labels among those of the teachers.
    """

    def __init__(
        self,
        teachers: Sequence[Teacher],
        heads: Mapping[str, tuple[str, ...]],
        corpora: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._taggers = [teacher.tagger for teacher in teachers]
        own = corpora or {}
        serving = {
            name: [_serving(name, labels, frozenset(own.get(name, ())), t) for t in teachers]
            for name, labels in heads.items()
        }
        self.heads = {
            name: labels
            for name, labels in heads.items()
            if set(labels) <= {label for one in serving[name] for label in one}
        }
        if not self.heads:
            known = sorted(
                {label for t in teachers for d in t.tagger.decoders.values() for label in d.labels}
            )
            raise UsageError(
                "no head of the student has all its labels among those of the teachers, which are "
                f"{', '.join(known)}; choose other teachers, or name the student's labels as they do"
            )
        self._parts: list[dict[str, list[_Part]]] = [defaultdict(list) for _ in teachers]
        for name, labels in self.heads.items():
            self._share_out(name, labels, serving[name], [teacher.weight for teacher in teachers])

    def _share_out(
        self, name: str, labels: tuple[str, ...], serving: list[dict[str, list[str]]], weights: list[float]
    ) -> None:
        """Which tags of which heads make up a head of the student, and with which shares."""
        tags = iobes_tags(labels)
        for label in labels:
            total = sum(weight for one, weight in zip(serving, weights, strict=True) if label in one)
            wanted = [tag for tag in tags if tag.partition("-")[2] == label]
            for tagger, parts, one, weight in zip(self._taggers, self._parts, serving, weights, strict=True):
                for head in one.get(label, []):
                    given = tagger.decoders[head].tags
                    parts[name].append(
                        _Part(
                            head,
                            [given.index(tag) for tag in wanted],
                            [tags.index(tag) for tag in wanted],
                            weight / total / len(one[label]),
                        )
                    )

    def marginals(self, documents: Sequence[Document], words: Ints) -> dict[str, NDArray[np.float32]]:
        """What the teachers say of some documents, in flat memory as long as these are few.

        Args:
            documents: each a sentence.
            words: int64 (documents,) how many words each has.

        Returns:
            By head of the student, float32 (words of all documents, tags); those of a word sum to 1.
        """
        firsts = np.cumsum(words) - words
        shape = int(words.sum())
        found = {name: np.zeros((shape, len(iobes_tags(ls))), np.float32) for name, ls in self.heads.items()}
        for tagger, parts in zip(self._taggers, self._parts, strict=True):
            for scored in tagger.score(documents) if parts else []:
                self._add(found, firsts, tagger.decoders, parts, scored)
        for shares in found.values():
            mass = np.maximum(shares.sum(1, keepdims=True), 1.0)
            np.divide(shares, mass, out=shares)  # labels that different teachers gave may overlap
            shares[:, 0] = np.maximum(1.0 - shares.sum(1), 0.0)
        return found

    @staticmethod
    def _add(
        found: dict[str, NDArray[np.float32]],
        firsts: Ints,
        decoders: Mapping[str, TagDecoder],
        parts: Mapping[str, list[_Part]],
        scored: Scored,
    ) -> None:
        places, (rows, columns) = _owned(scored, firsts)
        used = {part.head for several in parts.values() for part in several}
        shares = {
            head: tag_marginals(decoders[head], scored.emissions[head], scored.lengths)[rows, columns]
            for head in used
        }
        for name, several in parts.items():
            for part in several:
                found[name][places[:, None], part.taken] += shares[part.head][:, part.given] * part.weight


def _serving(
    name: str, labels: Sequence[str], corpora: frozenset[str], teacher: Teacher
) -> dict[str, list[str]]:
    """By label, the heads of a teacher that teach a head of the student."""
    decoders = teacher.tagger.decoders
    found = {}
    for label in labels:
        heads = [head for head, decoder in decoders.items() if label in decoder.labels]
        related = [head for head in heads if corpora.intersection(teacher.corpora.get(head, ()))]
        if heads:
            found[label] = [name] if name in heads else related or heads
    return found


def _owned(scored: Scored, firsts: Ints) -> tuple[Ints, tuple[Ints, Ints]]:
    """Where the words that units decide on stand among all words, and where in the batch."""
    units = scored.units
    starts = units.first[np.searchsorted(units.document, units.document)]  # of the first unit of the document
    members = scored.members
    columns = np.arange(int(scored.lengths.max()))
    at = units.first[members, None] + columns
    owned = (at >= units.owned_first[members, None]) & (at < units.owned_stop[members, None])
    places = (firsts[units.document[members]] - starts[members])[:, None] + at
    return places[owned], np.nonzero(owned)  # type: ignore[return-value]

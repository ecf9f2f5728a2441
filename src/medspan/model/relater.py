"""Documents with entities → relations: view, featurize, score, decode. The one path, in training and use."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from medspan.features.batch import Featurizer, group_by_words
from medspan.features.pairs import head_row, mention_arrays, pair_row, row_arrays
from medspan.features.views import by_head, read_views
from medspan.features.vocab import read_vocab
from medspan.model.pointing import Pointing, point
from medspan.model.relation_spec import DECODER, GRAPH, open_relations
from medspan.model.session import OnnxForms, OnnxRelations
from medspan.model.tagger import pieces_of
from medspan.types import Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from medspan.features.views import View, ViewSpec
    from medspan.model.relation_spec import RelationKind, RelationSpec
    from medspan.model.session import Device
    from medspan.types import Document

    Arrays = dict[str, NDArray[Any]]

BATCH_WORDS = 2_000
BATCH_ROWS = 256
"""Pairs, or heads, scored at once; more of one sentence come in several turns."""
Found = tuple[int, int, str, float]
"""Places of head and tail among the document's entities, label, score."""


class RelationScorer(Protocol):
    """The forward pass of a relation model."""

    def score(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """``scores`` (pairs, classes), or what `medspan.model.pointing` asks for."""
        ...


class Turn(NamedTuple):
    """Pairs, or heads, of some sentences that are scored together: view and row of each, in order."""

    views: list[View]
    rows: list[tuple[int, int]]


class Scored(NamedTuple):
    """A turn, its arrays and what the forward pass says."""

    turn: Turn
    arrays: Arrays
    outputs: dict[str, NDArray[np.float32]]


class Relater:
    """Finds relations with a scorer (ONNX graph or torch network).

    Args:
        scorer: the forward pass.
        featurizer: turns words into arrays.
        spec: what the model is.
        pointing: the decoder of a model that points; None for one that classifies pairs.
    """

    def __init__(
        self,
        scorer: RelationScorer,
        featurizer: Featurizer,
        spec: RelationSpec,
        *,
        pointing: Pointing | None = None,
    ) -> None:
        self.scorer, self.featurizer, self.spec, self.pointing = scorer, featurizer, spec, pointing
        self._lock = Lock()

    def annotate(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the relations found; those they had are replaced, all else stays.

        Threads may share a relater; they take turns, because the table of forms is one.
        """
        with self._lock:
            found = self.decode(self.score(documents), len(documents))
            self.featurizer.table.trim()
        return [
            document.replace(relations=relations_of(document, relations))
            for document, relations in zip(documents, found, strict=True)
        ]

    def score(self, documents: Sequence[Document]) -> Iterator[Scored]:
        """What the forward pass says of every pair, or head, of some documents."""
        for turn, arrays in self.batches(documents):
            yield Scored(turn, arrays, self.scorer.score(arrays))

    def decode(self, scored: Iterable[Scored], documents: int) -> list[list[Found]]:
        """The relations of each of so many documents."""
        found: list[list[Found]] = [[] for _ in range(documents)]
        for turn, arrays, outputs in scored:
            relations = (
                self._classified(turn, outputs["scores"])
                if self.pointing is None
                else self._pointed(self.pointing, turn, arrays, outputs)
            )
            for document, relation in relations:
                found[document].append(relation)
        return found

    def batches(self, documents: Sequence[Document]) -> Iterator[tuple[Turn, Arrays]]:
        """What is scored together, and its arrays."""
        window = self.spec.window
        views = list(read_views(documents, self.spec.views, size=window.words, overlap=window.overlap))
        for group in group_by_words([len(view.forms) for view in views], BATCH_WORDS):
            for turn in turns([views[i] for i in group], self.spec.what):
                rows = [self.featurizer.encode(view.forms) for view in turn.views]
                arrays = self.featurizer.arrays(rows)
                arrays |= turn_arrays(turn, self.spec.views, self.spec.what)
                yield turn, arrays

    def _classified(self, turn: Turn, scores: NDArray[np.float32]) -> Iterator[tuple[int, Found]]:
        classes = self.spec.classes
        scores = scores.astype(np.float64)
        if self.spec.negatives:
            scores[:, 0] += self.spec.none_bias
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        best = shares.argmax(axis=1)
        for (sentence, pair), chosen, share in zip(turn.rows, best.tolist(), shares, strict=True):
            if label := classes[chosen]:
                view = turn.views[sentence]
                head, tail = (view.mentions[mention].entity for mention in view.pairs[pair])
                yield view.document, (head, tail, label, float(share[chosen]))

    def _pointed(
        self, pointing: Pointing, turn: Turn, arrays: Arrays, outputs: dict[str, NDArray[np.float32]]
    ) -> Iterator[tuple[int, Found]]:
        found = point(pointing, outputs, arrays)
        for (sentence, head), emitted in zip(turn.rows, found, strict=True):
            view = turn.views[sentence]
            tails = by_head(view.pairs)[head]
            for place, label, score in emitted:
                entities = view.mentions[head].entity, view.mentions[tails[place]].entity
                yield view.document, (*entities, self.spec.labels[label], score)


def turns(views: Sequence[View], what: RelationKind) -> Iterator[Turn]:
    """The rows of some views, at most `BATCH_ROWS` at once, with the views they stand in."""
    rows = [
        (number, row)
        for number, view in enumerate(views)
        for row in (range(len(view.pairs)) if what == "pairs" else by_head(view.pairs))
    ]
    for first in range(0, len(rows), BATCH_ROWS):
        chosen = rows[first : first + BATCH_ROWS]
        kept = sorted({number for number, _ in chosen})
        place = {number: i for i, number in enumerate(kept)}
        yield Turn([views[number] for number in kept], [(place[number], row) for number, row in chosen])


def turn_arrays(turn: Turn, spec: ViewSpec, what: RelationKind) -> Arrays:
    """The arrays of the pairs or heads of a turn."""
    width = max(len(view.forms) for view in turn.views)
    sentences = [sentence for sentence, _ in turn.rows]
    views = [turn.views[sentence] for sentence in sentences]
    numbers = [number for _, number in turn.rows]
    if what == "pairs":
        rows = [pair_row(view, view.pairs[n], spec) for view, n in zip(views, numbers, strict=True)]
        return dict(row_arrays(rows, sentences, width))
    heads = [head_row(view, number, spec) for view, number in zip(views, numbers, strict=True)]
    tails = [
        [view.mentions[tail] for tail in by_head(view.pairs)[number]]
        for view, number in zip(views, numbers, strict=True)
    ]
    return row_arrays(heads, sentences, width) | mention_arrays(tails)


def relations_of(document: Document, found: Sequence[Found]) -> tuple[Relation, ...]:
    """What was found in a document, numbered in the order of its entities."""
    entities = document.entities
    return tuple(
        Relation(f"R{number}", label, entities[head].id, entities[tail].id, round(score, 4))
        for number, (head, tail, label, score) in enumerate(sorted(found), start=1)
    )


def load_relater(folder: Path | str, *, device: Device = "auto", threads: int | None = None) -> Relater:
    """Open the folder of a relation model for use.

    Raises:
        ModelError: if the folder is damaged or no relation model.
        UsageError: if the device is not there.
    """
    model = open_relations(folder)
    spec = model.spec
    forms = OnnxForms(model.read("forms.onnx"), spec.forms) if spec.forms else None
    max_chars = int(spec.encoder.settings.get("max_chars", 1))  # type: ignore[arg-type]
    featurizer = Featurizer(
        read_vocab(model.read("vocab.json")),
        spec.inputs,
        max_chars=max_chars,
        network=forms,
        pieces=pieces_of(model),
    )
    scorer = OnnxRelations(model.read(GRAPH), spec, device=device, threads=threads)
    pointing = Pointing.read(model.read(DECODER)) if spec.what == "pointers" else None
    return Relater(scorer, featurizer, spec, pointing=pointing)

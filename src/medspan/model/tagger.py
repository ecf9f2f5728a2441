"""Documents → entities: cut, featurize, score, decode, stitch. The only path, in training and in use."""

from __future__ import annotations

from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from medspan.features.batch import Featurizer, group_by_words
from medspan.features.cut import Unit, cut
from medspan.features.vocab import read_vocab
from medspan.model.session import OnnxScorer
from medspan.model.store import open_model
from medspan.model.viterbi import decode_heads
from medspan.types import Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from medspan.model.protocol import Scorer
    from medspan.model.session import Device
    from medspan.model.spec import ModelSpec, OverlapPolicy
    from medspan.model.viterbi import TagDecoder
    from medspan.types import Document

BATCH_WORDS = 2000
Found = tuple[int, int, str, float]


class Scored(NamedTuple):
    """Some units of similar length and their emissions by head, float32 (units, words, tags)."""

    units: list[Unit]
    emissions: dict[str, NDArray[np.float32]]
    lengths: NDArray[np.int64]


class Tagger:
    """Finds entities with a scorer (ONNX graph or torch network) and the decoders of its heads.

    Args:
        scorer: the forward pass.
        decoders: one a head, by name.
        featurizer: turns words into arrays.
        window: (words, overlap) of the windows long sentences are cut into.
        thresholds: by head, the score below which an entity is dropped.
        overlap: ``all`` keeps entities of different heads that overlap, ``longest`` and ``best`` keep one.
    """

    def __init__(
        self,
        scorer: Scorer,
        decoders: Mapping[str, TagDecoder],
        featurizer: Featurizer,
        *,
        window: tuple[int, int] = (200, 40),
        thresholds: Mapping[str, float] | None = None,
        overlap: OverlapPolicy = "all",
    ) -> None:
        self.scorer = scorer
        self.decoders = dict(decoders)
        self.featurizer = featurizer
        self.window = window
        self.thresholds = dict(thresholds or {})
        self.overlap = overlap
        self._lock = Lock()

    def annotate(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the entities found; entities and relations they had are replaced.

        Threads may share a tagger; they take turns, because the featurizer's table of forms is one.
        """
        found: dict[int, list[Found]] = defaultdict(list)
        with self._lock:
            for scored in self.score(documents):
                self._decode(scored, found)
        return [
            document.replace(entities=self._entities(found[i]), relations=())
            for i, document in enumerate(documents)
        ]

    def score(self, documents: Sequence[Document]) -> Iterator[Scored]:
        """Emissions of every unit of some documents, in batches of similar length."""
        self.featurizer.trim()
        units, rows = [], []
        for index, document in enumerate(documents):
            for unit in cut(document, index=index, size=self.window[0], overlap=self.window[1]):
                units.append(unit)
                rows.append(self.featurizer.encode(unit.forms(document.text)))
        for group in group_by_words([len(row) for row in rows], BATCH_WORDS):
            arrays = self.featurizer.arrays([rows[i] for i in group])
            yield Scored([units[i] for i in group], self.scorer.score(arrays), arrays["lengths"])

    def _decode(self, scored: Scored, found: dict[int, list[Found]]) -> None:
        """Add what the units own to what was found in their documents."""
        names = list(self.decoders)
        heads = decode_heads(
            [self.decoders[n] for n in names], [scored.emissions[n] for n in names], scored.lengths
        )
        for name, rows in zip(names, heads, strict=True):
            threshold = self.thresholds.get(name, 0.0)
            for unit, chunks in zip(scored.units, rows, strict=True):
                first, stop = unit.owned
                found[unit.document].extend(
                    (unit.words[begin][0], unit.words[end - 1][1], label, score)
                    for begin, end, label, score in chunks
                    if first <= begin < stop and score >= threshold
                )

    def _entities(self, found: list[Found]) -> tuple[Entity, ...]:
        kept = resolve_overlaps(found, self.overlap)
        return tuple(
            Entity(f"T{i}", label, (Span(start, end),), round(score, 4))
            for i, (start, end, label, score) in enumerate(kept, start=1)
        )


def resolve_overlaps(found: Sequence[Found], policy: OverlapPolicy) -> list[Found]:
    """Entities in text order; of overlapping ones of the same label (a seam between windows), the first.

    ``longest`` and ``best`` also keep one of overlapping entities of different labels.
    """
    ordered = sorted(found)
    last_end: dict[str, int] = {}
    disjoint = []
    for entity in ordered:
        if entity[0] >= last_end.get(entity[2], 0):
            last_end[entity[2]] = entity[1]
            disjoint.append(entity)
    if policy == "all":
        return disjoint
    return _one_of_each(disjoint, policy)


def _one_of_each(entities: list[Found], policy: OverlapPolicy) -> list[Found]:
    def rank(entity: Found) -> tuple[float, float, int]:
        length, score = entity[1] - entity[0], entity[3]
        return (-length, -score, entity[0]) if policy == "longest" else (-score, -length, entity[0])

    kept: list[Found] = []
    for entity in sorted(entities, key=rank):
        if all(entity[1] <= other[0] or entity[0] >= other[1] for other in kept):
            kept.append(entity)
    return sorted(kept)


def tagger_of(
    spec: ModelSpec, decoders: Mapping[str, TagDecoder], featurizer: Featurizer, scorer: Scorer
) -> Tagger:
    """A tagger with the settings of a model's spec."""
    return Tagger(
        scorer,
        decoders,
        featurizer,
        window=(spec.window.words, spec.window.overlap),
        thresholds={head.name: head.threshold for head in spec.heads},
        overlap=spec.overlap,
    )


def load_tagger(folder: Path | str, *, device: Device = "auto", threads: int | None = None) -> Tagger:
    """Open a model folder for use.

    Raises:
        ModelError: if the folder is damaged.
        UsageError: if the device is not there.
    """
    model = open_model(folder)
    spec = model.spec
    vocab = read_vocab(model.read("vocab.json"))
    featurizer = Featurizer(vocab, spec.inputs, max_chars=int(spec.encoder.settings["max_chars"]))  # type: ignore[arg-type]
    scorer = OnnxScorer(model.read("model.onnx"), spec, device=device, threads=threads)
    return tagger_of(spec, model.decoders(), featurizer, scorer)

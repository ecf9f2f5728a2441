"""Documents → entities: cut, featurize, score, decode, stitch. The only path, in training and in use."""

from __future__ import annotations

from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from medspan.features.batch import Featurizer, group_by_words
from medspan.features.cut import read_units
from medspan.features.forms import PADDING
from medspan.features.pieces import FILE, LAYOUT_FILE, Pieces, read_layout
from medspan.features.vocab import read_vocab
from medspan.model.confidence import Rated, path_log_probabilities
from medspan.model.session import OnnxForms, OnnxScorer
from medspan.model.store import open_model
from medspan.model.tuning import DEFAULT_BATCH_WORDS, settings_for
from medspan.model.viterbi import decode_heads
from medspan.types import Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.features.cut import Units
    from medspan.model.protocol import Scorer
    from medspan.model.relation_spec import RelationModel
    from medspan.model.session import Device
    from medspan.model.spec import ModelSpec, OverlapPolicy
    from medspan.model.store import StoredModel
    from medspan.model.viterbi import TagDecoder
    from medspan.types import Document

READ_WORDS = 50_000
"""Words held at once: enough to find units of equal length, few enough to keep memory flat."""
Found = tuple[int, int, str, float]


class Scored(NamedTuple):
    """Some units of similar length and their emissions by head, float32 (members, words, tags)."""

    units: Units
    members: NDArray[np.int64]
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
        batch_words: padded words scored at once.
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
        batch_words: int = DEFAULT_BATCH_WORDS,
    ) -> None:
        self.scorer = scorer
        self.decoders = dict(decoders)
        self.featurizer = featurizer
        self.window = window
        self.thresholds = dict(thresholds or {})
        self.overlap = overlap
        self.batch_words = batch_words
        self._lock = Lock()

    def annotate(self, documents: Sequence[Document]) -> list[Document]:
        """The documents with the entities found; entities and relations they had are replaced.

        Threads may share a tagger; they take turns, because the table of forms is one.
        """
        found: dict[int, list[Found]] = defaultdict(list)
        with self._lock:
            for scored in self.score(documents):
                self._decode(scored, found)
        return [
            document.replace(entities=entities_of(found[i], self.overlap), relations=())
            for i, document in enumerate(documents)
        ]

    def rate(self, documents: Sequence[Document]) -> list[Rated]:
        """The documents as `annotate` gives them, each with how sure the model is of all of it.

        Of a sentence that is read in several windows, each window counts.
        """
        found: dict[int, list[Found]] = defaultdict(list)
        sure = np.zeros(len(documents))
        words = np.zeros(len(documents), np.int64)
        with self._lock:
            for scored in self.score(documents):
                self._decode(scored, found)
                document = scored.units.document[scored.members]
                owned = scored.units.owned_stop[scored.members] - scored.units.owned_first[scored.members]
                np.add.at(words, document, owned)
                for name, decoder in self.decoders.items():
                    logs = path_log_probabilities(decoder, scored.emissions[name], scored.lengths)
                    np.add.at(sure, document, logs)
        return [
            Rated(document.replace(entities=entities_of(found[i], self.overlap), relations=()), logs, count)
            for i, (document, logs, count) in enumerate(
                zip(documents, sure.tolist(), words.tolist(), strict=True)
            )
        ]

    def score(self, documents: Sequence[Document]) -> Iterator[Scored]:
        """Emissions of every unit of some documents, in batches of similar length."""
        size, overlap = self.window
        table = self.featurizer.table
        for units in read_units(documents, table, size=size, overlap=overlap, most_words=READ_WORDS):
            for members in self.batches(units.lengths):
                yield self._scored(units, np.asarray(members))

    def batches(self, lengths: NDArray[np.int64]) -> Iterator[list[int]]:
        """Which units are scored together, given the words of each, int64 (units,)."""
        return group_by_words(lengths.tolist(), self.batch_words)

    def _scored(self, units: Units, members: NDArray[np.int64]) -> Scored:
        lengths = units.lengths[members]
        places = np.arange(int(lengths.max()))
        at = np.minimum(units.first[members, None] + places, len(units.rows) - 1)
        rows = np.where(places < lengths[:, None], units.rows[at], PADDING)
        arrays = self.featurizer.padded_arrays(rows, lengths)
        return Scored(units, members, self.scorer.score(arrays), lengths)

    def _decode(self, scored: Scored, found: dict[int, list[Found]]) -> None:
        """Add what the units own to what was found in their documents."""
        names = list(self.decoders)
        chunks = decode_heads(
            [self.decoders[n] for n in names], [scored.emissions[n] for n in names], scored.lengths
        )
        units = scored.units
        thresholds = [self.thresholds.get(name, 0.0) for name in names]
        for head, row, begin, end, label, score in chunks:
            member = scored.members[row]
            first = units.first[member] + begin
            if units.owned_first[member] <= first < units.owned_stop[member] and score >= thresholds[head]:
                last = units.first[member] + end - 1
                offsets = int(units.starts[first]), int(units.ends[last])
                found[int(units.document[member])].append((*offsets, label, score))


def entities_of(found: Sequence[Found], policy: OverlapPolicy) -> tuple[Entity, ...]:
    """What was found in a document as its entities, numbered in the order of the text."""
    kept = resolve_overlaps(found, policy)
    return tuple(
        Entity(f"T{i}", label, (Span(start, end),), round(score, 4))
        for i, (start, end, label, score) in enumerate(kept, start=1)
    )


def resolve_overlaps(found: Sequence[Found], policy: OverlapPolicy) -> list[Found]:
    """Entities in text order; of overlapping ones of the same label, as at a seam of windows, the first.

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
    spec: ModelSpec,
    decoders: Mapping[str, TagDecoder],
    featurizer: Featurizer,
    scorer: Scorer,
    *,
    batch_words: int = DEFAULT_BATCH_WORDS,
) -> Tagger:
    """A tagger with the settings of a model's spec.

    Args:
        spec: gives windows, thresholds and what becomes of overlapping entities.
        decoders: by head; some heads of the spec may be left out.
        featurizer: what the scorer reads.
        scorer: gives emissions.
        batch_words: padded words of a forward pass.
    """
    return Tagger(
        scorer,
        decoders,
        featurizer,
        window=(spec.window.words, spec.window.overlap),
        thresholds={head.name: head.threshold for head in spec.heads},
        overlap=spec.overlap,
        batch_words=batch_words,
    )


def pieces_of(model: StoredModel | RelationModel) -> Pieces | None:
    """What cuts words into pieces; None in a model over words or characters.

    Raises:
        MissingExtraError: if the model needs `tokenizers`, which is not installed.
        ModelError: if its files are damaged.
    """
    if FILE not in model.spec.files:
        return None
    return Pieces(model.read(FILE), read_layout(model.read(LAYOUT_FILE)))


def load_tagger(
    folder: Path | str,
    *,
    device: Device = "auto",
    threads: int | None = None,
    batch_words: int | None = None,
) -> Tagger:
    """Open a model folder for use.

    Raises:
        ModelError: if the folder is damaged.
        UsageError: if the device is not there.
    """
    model = open_model(folder)
    spec = model.spec
    vocab = read_vocab(model.read("vocab.json"))
    forms = OnnxForms(model.read("forms.onnx"), spec.forms) if spec.forms else None
    max_chars = int(spec.encoder.settings.get("max_chars", 1))  # type: ignore[arg-type]
    featurizer = Featurizer(vocab, spec.inputs, max_chars=max_chars, network=forms, pieces=pieces_of(model))
    threads, batch_words = settings_for(model, threads=threads, batch_words=batch_words)
    scorer = OnnxScorer(model.read("model.onnx"), spec, device=device, threads=threads)
    return tagger_of(spec, model.decoders(), featurizer, scorer, batch_words=batch_words)

"""Corpora of a recipe → training examples: relabelled, aligned to words, without leaked test sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from medspan import formats
from medspan.corpora import catalogue, known_entry, load, split_path
from medspan.corpora.leaks import leaking_sentences, registered_keys, sentence_key, sentences_of
from medspan.errors import DataError, TrainingError
from medspan.features.cut import cut, unit_chunks
from medspan.tags import encode, iobes_tags
from medspan.train.replicas import ALONE
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.config import CorpusConfig, Recipe
    from medspan.features.batch import Featurizer
    from medspan.features.cut import Unit
    from medspan.tags import Chunk
    from medspan.train.replicas import Alone


class Example(NamedTuple):
    """A unit to learn from: its words and, by head, the chunks annotated in it."""

    forms: list[str]
    chunks: dict[str, list[Chunk]]
    glued: list[bool] | None = None
    """Which words follow another without a blank, where that is known: word pieces may tell."""


class Counts(msgspec.Struct):
    """What was found while reading the training split of a corpus."""

    sentences: int = 0
    leaked: int = 0
    spans: int = 0
    misaligned: int = 0
    nested: int = 0
    discontinuous: int = 0


class TrainingCorpus(msgspec.Struct):
    """A corpus of the recipe, read: examples of its training split, documents of its dev split."""

    name: str
    heads: tuple[str, ...]
    labels: frozenset[str]
    examples: list[Example]
    dev: list[Document]
    counts: Counts
    weight: float = 1.0


class Encoded(NamedTuple):
    """An example as arrays: positions in the form table (words,), and by head what is to be learnt.

    That is tag ids, int64 (words,), or a teacher's marginals, float (words, tags).
    """

    row: NDArray[np.int64]
    tags: dict[str, NDArray[Any]]


def read_corpora(recipe: Recipe, base: Path, replicas: Alone = ALONE) -> list[TrainingCorpus]:
    """Read every corpus of a recipe.

    Args:
        recipe: the recipe.
        base: folder that relative paths in it start from.
        replicas: the processes that share the training splits; each reads its part of them.

    Raises:
        DataError: if a corpus is absent or lacks a label a head wants.
        TrainingError: if too many spans are misaligned or too many sentences leak into a test split.
    """
    keys = frozenset() if recipe.train.keep_leaks else registered_keys()
    return [_read_corpus(name, recipe, base, keys, replicas) for name in recipe.corpora]


def _read_corpus(
    name: str, recipe: Recipe, base: Path, keys: frozenset[int], replicas: Alone
) -> TrainingCorpus:
    config = recipe.corpora[name]
    heads = {h: head.labels for h, head in recipe.heads.items() if name in head.corpora}
    labels = frozenset(label for wanted in heads.values() for label in wanted)
    source = source_of(config.source, base)
    documents = relabel(_own_part(source, config, base, replicas), config.labels)
    present = {entity.label for document in documents for entity in document.entities}
    if not config.may_lack:
        _check_labels(name, set().union(*replicas.all(sorted(present), list[str])), labels)
    counts = Counts()
    examples = [
        example
        for document in documents
        for example in _examples(document, heads, recipe, keys=keys, counts=counts)
    ]
    _check_counts(name, counts, recipe)
    dev = relabel(load_split(source, config.dev, base, config), config.labels)
    return TrainingCorpus(name, tuple(heads), labels, examples, dev, counts, config.weight)


def _own_part(source: str | Path, config: CorpusConfig, base: Path, replicas: Alone) -> list[Document]:
    """What a process reads of a training split: files of its own where there are enough, else every nth."""
    if replicas.size > 1:
        place = split_path(source, config.train)
        files = sorted(file for file in place.iterdir() if file.name[0] not in "._") if place.is_dir() else []
        if len(files) >= replicas.size:
            own = files[replicas.rank :: replicas.size]
            return [document for file in own for document in formats.read(file, config.format)]
    return load_split(source, config.train, base, config)[replicas.rank :: replicas.size]


def source_of(source: str, base: Path) -> str | Path:
    """What to load for a source: a path beside the recipe where there is one, else the name as it stands."""
    beside = base / source
    return beside if source not in catalogue() and beside.exists() else source


def source_licence(source: str, base: Path) -> str:
    """The licence of a source, as far as the catalogue knows it."""
    found = source_of(source, base)
    known = known_entry(found) if isinstance(found, str) else None
    return known.licence if known else "not in the catalogue: the user's own"


def load_split(source: str | Path, split: str, base: Path, config: CorpusConfig) -> list[Document]:
    """Documents of a split, which may also be the path of a file of its own."""
    own = base / split
    if own.suffix and own.exists():
        return load(own, "train", format=config.format)
    return load(source, split, format=config.format)


def digest_path(config: CorpusConfig, split: str, base: Path) -> Path:
    """The file whose digest goes into the provenance of a model."""
    own = base / split
    return own if own.suffix and own.exists() else split_path(source_of(config.source, base), split)


def relabel(documents: Iterable[Document], labels: dict[str, str] | None) -> list[Document]:
    """Keep and rename entities as ``labels`` says; relations, which training does not use, go."""
    if labels is None:
        return [document.replace(relations=()) for document in documents]
    return [
        document.replace(
            entities=tuple(
                msgspec.structs.replace(entity, label=labels[entity.label])
                for entity in document.entities
                if entity.label in labels
            ),
            relations=(),
        )
        for document in documents
    ]


def _check_labels(name: str, present: AbstractSet[str], wanted: frozenset[str]) -> None:
    if missing := wanted - present:
        raise DataError(
            f"corpora.{name}: its training split has no span labelled {', '.join(sorted(missing))}; "
            f"it has: {', '.join(sorted(present)) or 'none'}; map them with corpora.{name}.labels"
        )


def _check_counts(name: str, counts: Counts, recipe: Recipe) -> None:
    limits = recipe.train
    if counts.spans and counts.misaligned / counts.spans > limits.max_misaligned:
        raise TrainingError(
            f"corpora.{name}: {counts.misaligned} of {counts.spans} spans are not on word borders; "
            "see `medspan check`, mend the corpus, or raise train.max_misaligned"
        )
    if counts.sentences and counts.leaked / counts.sentences > limits.max_leaked:
        raise TrainingError(
            f"corpora.{name}: {counts.leaked} of {counts.sentences} training sentences equal a sentence of a "
            "registered test split; train on another split, or raise train.max_leaked (they are dropped)"
        )


def _examples(
    document: Document,
    heads: dict[str, tuple[str, ...]],
    recipe: Recipe,
    *,
    keys: frozenset[int],
    counts: Counts,
) -> Iterable[Example]:
    counts.spans += len(document.entities)
    placed: set[tuple[str, int, int]] = set()
    # A unit of a long sentence is only a part of it, and has another key than the whole.
    spans = sentences_of(document) if keys else ()
    leaks = [(spans[i].start, spans[i].end) for i in (leaking_sentences(document, keys) if keys else ())]
    for unit in cut(document, size=recipe.window.words, overlap=recipe.window.overlap):
        counts.sentences += 1
        chunks = {head: unit_chunks(document, unit, labels) for head, labels in heads.items()}
        placed |= {
            (label, unit.words[first][0], unit.words[stop - 1][1])
            for found in chunks.values()
            for first, stop, label in found
        }
        if any(start <= unit.words[0][0] < end for start, end in leaks) or _is_leak(document, unit, keys):
            counts.leaked += 1
            continue
        disjoint = {head: _disjoint(found, counts) for head, found in chunks.items()}
        yield Example(unit.forms(document.text), disjoint, unit.glued(document.text))
    counts.discontinuous += sum(entity.is_discontinuous for entity in document.entities)
    counts.misaligned += len(_learnable(document, heads) - placed)


def _is_leak(document: Document, unit: Unit, keys: frozenset[int]) -> bool:
    """Whether a run of words that no sentence covers is a test sentence."""
    text = document.text[unit.words[0][0] : unit.words[-1][1]]
    return bool(keys) and sentence_key(text, shortest=0) in keys


def _learnable(document: Document, heads: dict[str, tuple[str, ...]]) -> set[tuple[str, int, int]]:
    """Distinct gold spans some head would learn, wherever they fall."""
    labels = {label for wanted in heads.values() for label in wanted}
    return {
        (e.label, e.start, e.end) for e in document.entities if e.label in labels and not e.is_discontinuous
    }


def _disjoint(chunks: list[Chunk], counts: Counts) -> list[Chunk]:
    """One tag sequence holds no overlap: of overlapping chunks the longest stays."""
    kept: list[Chunk] = []
    for chunk in sorted(chunks, key=lambda c: (c[0] - c[1], c)):
        if all(chunk[1] <= other[0] or chunk[0] >= other[1] for other in kept):
            kept.append(chunk)
    counts.nested += len(chunks) - len(kept)
    return kept


def encode_examples(
    examples: Iterable[Example], featurizer: Featurizer, heads: dict[str, tuple[str, ...]]
) -> list[Encoded]:
    """Examples as arrays; tag ids follow `iobes_tags` of each head's labels."""
    ids = {head: {tag: i for i, tag in enumerate(iobes_tags(labels))} for head, labels in heads.items()}
    encoded = []
    for forms, chunks, glued in examples:
        tags = {
            head: np.array([ids[head][tag] for tag in encode(found, len(forms))], np.int64)
            for head, found in chunks.items()
        }
        encoded.append(Encoded(featurizer.encode(forms, glued), tags))
    return encoded

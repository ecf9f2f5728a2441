"""Corpora of a relation recipe → views with what is to be learnt of their pairs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from medspan import formats
from medspan.corpora import split_path
from medspan.corpora.leaks import leaking_sentences, registered_keys, sentences_of
from medspan.errors import DataError, TrainingError
from medspan.features.views import by_head, read_views
from medspan.formats.protocol import ReadOptions
from medspan.model.relater import Turn, turn_arrays
from medspan.train.data import source_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.config import CorpusConfig
    from medspan.features.views import View
    from medspan.train.relations.settings import RelationRecipe, RelationsConfig
    from medspan.types import Document, Span

    Ints = NDArray[np.int64]

_NOTHING = -100


class Example(NamedTuple):
    """A view, its words in the form table, and the class of each of its pairs."""

    view: View
    row: Ints
    classes: Ints


class RelationCounts(msgspec.Struct):
    """What was found while reading the training split of a corpus."""

    documents: int = 0
    malformed: int = 0
    leaked: int = 0
    relations: int = 0
    unpaired: int = 0
    pairs: int = 0
    related: int = 0


class RelationCorpus(NamedTuple):
    """A corpus, read: views of its training documents with the classes of their pairs, and dev documents."""

    name: str
    views: list[View]
    classes: list[Ints]
    dev: list[Document]
    counts: RelationCounts
    labels: frozenset[str]
    """Of the relations in its training documents."""

    def line(self) -> str:
        """One line on what was read."""
        c = self.counts
        parts = [f"{self.name}: {c.documents} documents, {c.pairs} pairs, {c.related} related"]
        for count, what in (
            (c.unpaired, f"of {c.relations} relations between no such pair"),
            (c.leaked, "sentences left out (equal to a registered test sentence)"),
            (c.malformed, "malformed documents left out"),
        ):
            if count:
                parts.append(f"{count} {what}")
        return ", ".join(parts)


def read_relation_corpora(recipe: RelationRecipe, base: Path) -> list[RelationCorpus]:
    """Read every corpus of a recipe.

    Args:
        recipe: the recipe.
        base: folder that relative paths in it start from.

    Raises:
        DataError: if a corpus is absent, has none of the relations, or none has a label that is wanted.
        TrainingError: if too many sentences leak into a test split.
    """
    corpora = [_read(name, corpus, recipe, base) for name, corpus in recipe.corpora.items()]
    present = {label for corpus in corpora for label in corpus.labels}
    if missing := set(recipe.relations.labels) - present:
        raise DataError(
            f"corpora: no training split has a relation labelled {', '.join(sorted(missing))}; "
            f"there are: {', '.join(sorted(present)) or 'none'}"
        )
    return corpora


def _read(name: str, config: CorpusConfig, recipe: RelationRecipe, base: Path) -> RelationCorpus:
    counts = RelationCounts()
    wanted = recipe.relations
    train = _documents(config, config.train, base, counts)
    if wanted.folds:
        dev = [d for d in train if fold_of(d, wanted.folds) == wanted.fold]
        train = [d for d in train if fold_of(d, wanted.folds) != wanted.fold]
    else:
        dev = _documents(config, config.dev, base, RelationCounts())
    counts.documents = len(train)
    present = frozenset(relation.label for document in train for relation in document.relations)
    if not recipe.train.keep_leaks:
        train = _without_leaks(name, train, counts, recipe)
    window = recipe.window
    views = list(read_views(train, wanted.views, size=window.words, overlap=window.overlap))
    classes = [_classes(train[view.document], view, wanted) for view in views]
    if not wanted.negatives:
        views, classes = _related_only(views, classes)
    _count(counts, train, classes, wanted)
    if not counts.related:
        raise DataError(
            f"corpora.{name}: no pair of relations.views.pairs is related by one of relations.labels; check "
            f"both; labels it has: {', '.join(sorted(present)) or 'none'}"
        )
    return RelationCorpus(name, views, classes, dev, counts, present)


def _documents(config: CorpusConfig, split: str, base: Path, counts: RelationCounts) -> list[Document]:
    """A split; documents that are malformed are left out and counted."""
    own = base / split
    path = own if own.suffix and own.exists() else split_path(source_of(config.source, base), split)

    def reject(_error: Exception, _unit: str) -> None:
        counts.malformed += 1

    return list(formats.read(path, config.format, ReadOptions(rejected=reject)))


def fold_of(document: Document, folds: int) -> int:
    """Which of some parts a document is in, by its text.

    A sentence that is a document once for each of its pairs, as in ChemProt, is in one part only.
    """
    return int.from_bytes(hashlib.sha256(document.text.encode()).digest()[:4], "big") % folds


def _without_leaks(
    name: str, documents: list[Document], counts: RelationCounts, recipe: RelationRecipe
) -> list[Document]:
    """The documents without entities in sentences that stand in a registered test split."""
    keys = registered_keys()
    kept, total = [], 0
    for document in documents:
        spans = sentences_of(document)
        total += len(spans)
        leaks = [spans[i] for i in leaking_sentences(document, keys)]
        counts.leaked += len(leaks)
        kept.append(_cleared(document, leaks) if leaks else document)
    if total and counts.leaked / total > recipe.train.max_leaked:
        raise TrainingError(
            f"corpora.{name}: {counts.leaked} of {total} training sentences equal a sentence of a registered "
            "test split; train on another split, or raise train.max_leaked (they are dropped)"
        )
    return kept


def _cleared(document: Document, leaks: Sequence[Span]) -> Document:
    entities = tuple(
        e for e in document.entities if not any(s.overlaps(leak) for s in e.spans for leak in leaks)
    )
    ids = {entity.id for entity in entities}
    relations = tuple(r for r in document.relations if {r.head, r.tail} <= ids)
    return document.replace(entities=entities, relations=relations)


def _classes(document: Document, view: View, config: RelationsConfig) -> Ints:
    """The class of each pair of a view; of several labels of a pair, the first of the recipe."""
    first = 1 if config.negatives else 0
    numbers = {label: number + first for number, label in enumerate(config.labels)}
    place = {entity.id: i for i, entity in enumerate(document.entities)}
    gold: dict[tuple[int, int], int] = {}
    for relation in document.relations:
        if relation.label in numbers:
            ends = place[relation.head], place[relation.tail]
            for key in (ends, ends[::-1]) if config.views.symmetric else (ends,):
                gold[key] = min(gold.get(key, len(numbers) + first), numbers[relation.label])
    unrelated = 0 if config.negatives else -1
    keys = [(view.mentions[h].entity, view.mentions[t].entity) for h, t in view.pairs]
    return np.array([gold.get(key, unrelated) for key in keys], np.int64)


def _related_only(views: list[View], classes: list[Ints]) -> tuple[list[View], list[Ints]]:
    """Views without pairs that are nothing, for a corpus that has no such class."""
    kept = []
    for view, numbers in zip(views, classes, strict=True):
        pairs = [pair for pair, number in zip(view.pairs, numbers.tolist(), strict=True) if number >= 0]
        if pairs:
            kept.append((view._replace(pairs=pairs), numbers[numbers >= 0]))
    return [view for view, _ in kept], [numbers for _, numbers in kept]


def _count(
    counts: RelationCounts, documents: Sequence[Document], classes: Sequence[Ints], config: RelationsConfig
) -> None:
    labels = set(config.labels)
    ends = {(i, r.head, r.tail) for i, d in enumerate(documents) for r in d.relations if r.label in labels}
    counts.relations = len(ends)
    counts.pairs = sum(map(len, classes))
    none = 1 if config.negatives else 0
    counts.related = int(sum((numbers >= none).sum() for numbers in classes))
    counts.unpaired = counts.relations - counts.related


def drawn_examples(
    examples: Sequence[Example], config: RelationsConfig, rng: np.random.Generator
) -> list[Example]:
    """The examples with their related pairs and, of the unrelated ones, those drawn; none without a pair."""
    if not config.negatives or config.kept_negatives == 1:
        return list(examples)
    kept = []
    for example in examples:
        drawn = (example.classes > 0) | (rng.random(len(example.classes)) < config.kept_negatives)
        if drawn.any():
            pairs = [pair for pair, is_drawn in zip(example.view.pairs, drawn, strict=True) if is_drawn]
            kept.append(Example(example.view._replace(pairs=pairs), example.row, example.classes[drawn]))
    return kept


def pair_batch(
    examples: Sequence[Example], config: RelationsConfig
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Arrays of the pairs of some sentences, and their classes."""
    rows = [(sentence, pair) for sentence, e in enumerate(examples) for pair in range(len(e.classes))]
    arrays = turn_arrays(Turn([e.view for e in examples], rows), config.views, "pairs")
    return arrays, {"classes": np.concatenate([e.classes for e in examples])}


def head_batch(
    examples: Sequence[Example], config: RelationsConfig
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Arrays of the heads in some sentences, and what each emits: tails in text order, then the end."""
    rows: list[tuple[int, int]] = []
    emitted: list[list[tuple[int, int]]] = []
    for sentence, example in enumerate(examples):
        number = {tuple(pair): int(c) for pair, c in zip(example.view.pairs, example.classes, strict=True)}
        for head, tails in by_head(example.view.pairs).items():
            rows.append((sentence, head))
            steps = [(place, number[head, tail] - 1) for place, tail in enumerate(tails)]
            emitted.append([step for step in steps if step[1] >= 0])
    arrays = turn_arrays(Turn([e.view for e in examples], rows), config.views, "pointers")
    mentions = arrays["mention_kinds"].shape[1]
    longest = max(map(len, emitted)) + 1
    tails_of, roles = (np.full((len(rows), longest), _NOTHING, np.int64) for _ in range(2))
    for row, found in enumerate(emitted):
        tails_of[row, : len(found) + 1] = [*(tail for tail, _ in found), mentions]
        roles[row, : len(found)] = [role for _, role in found]
    return arrays, {"tails": tails_of, "roles": roles}

"""From a project to what `medspan train` reads: files of sentences, and a recipe that goes on from a model.

The recipe keeps the encoder of its start and the heads of the labels the project has. Gold are the corrected
documents; beside them stands what the present model finds in texts nobody has looked at, so that the network
does not forget what it knew (rehearsal on its own output, after Robins 1995).

All corrected documents are learnt from, and the same ones choose the epoch: of a hundred, a fifth set aside
chooses by chance, and is missed. What a run is worth is told by the held-back part, which no run learns from.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from medspan import formats
from medspan.config import (
    BlstmCnn,
    CorpusConfig,
    EncoderConfig,
    ExportConfig,
    GroupConfig,
    HeadConfig,
    Recipe,
    TrainConfig,
    TransferConfig,
    WindowConfig,
    parse_recipe,
)
from medspan.errors import ModelError, UsageError
from medspan.model.store import open_model
from medspan.project.documents import as_document
from medspan.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from medspan.project.documents import Row
    from medspan.project.structs import Mark, Start
    from medspan.types import Document

TRUSTED_F1 = 0.5
"""Strict F1 on the corrected documents from which on a label of the present model is rehearsed."""
FEWEST_DOCUMENTS = 5
MOST_REPLAY = 2000
"""Documents nobody has looked at that are rehearsed at most."""
LIKE_SHARE = 1 / 3
"""Share of the mentions of a new label that a label of the start must cover to be what it begins as."""
TRAIN, REPLAY, TEST = "train.jsonl", "replay.jsonl", "test.jsonl"
RECIPE, MODEL = "recipe.toml", "model"
_FRESH_FACTOR = 2  # to the rate recipes have: a network that begins anew has further to go
GOLD, _REHEARSED = "corrected", "replay"


class Parts(NamedTuple):
    """The documents of a run, apart: learnt from, scored on, and not annotated."""

    gold: list[Document]
    test: list[Document]
    other: list[Document]


class Effort(NamedTuple):
    """How a run learns; measured in ``benchmarks/correct.py``."""

    epochs: int = 30
    learning_rate: float = 1e-3
    encoder_rate: float = 0.5
    word_rate: float = 0.3
    replay_share: float = 1.0
    average: float = 0.9
    head_dropout: float = 0.3
    word_dropout: float = 0.5
    batch_words: int = 300


def parts_of(rows: Sequence[Row], done: Mapping[int, tuple[Mark, ...]], labels: Sequence[str]) -> Parts:
    """Divide the documents of a project.

    Raises:
        UsageError: if too few are annotated to learn anything, or none to score on.
    """
    wanted = set(labels)
    kept = {
        row: as_document(row, [mark for mark in done[row.number] if mark.label in wanted])
        for row in rows
        if row.number in done
    }
    gold = [document for row, document in kept.items() if not row.is_held_back]
    test = [document for row, document in kept.items() if row.is_held_back]
    if len(gold) < FEWEST_DOCUMENTS or not test:
        raise UsageError(
            f"annotate more first: {len(gold)} documents to learn from are done (at least {FEWEST_DOCUMENTS} "
            f"are needed) and {len(test)} of the held-back part (at least 1)"
        )
    other = [as_document(row, ()) for row in rows if row.number not in done and not row.is_held_back]
    return Parts(gold, test, other)


def write_corpus(folder: Path, parts: Parts, replay: Sequence[Document]) -> None:
    """Write the files of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, documents in {TRAIN: parts.gold, TEST: parts.test, REPLAY: replay}.items():
        formats.write(documents, folder / name, "jsonl")


def project_recipe(
    name: str,
    labels: Sequence[str],
    start: Start,
    folder: Path,
    *,
    likeness: Mapping[str, str],
    trusted: Collection[str],
    replay: int,
    gold: int,
    effort: Effort,
) -> Recipe:
    """The recipe of a run.

    Args:
        name: of the model.
        labels: of the project.
        start: what to start from.
        folder: of the present model.
        likeness: for labels the present model lacks, the label of it they begin as.
        trusted: labels of which what the present model finds is good enough to rehearse.
        replay: how many documents are rehearsed.
        gold: how many documents are learnt from.
        effort: how it learns.

    Raises:
        ModelError: if the present model is damaged.
    """
    shape = _shape(folder) if start == "model" else _fresh_shape()
    heads = _heads(labels, shape, likeness, trusted if replay and effort.replay_share else ())
    corpora = {GOLD: CorpusConfig(TRAIN, train=TRAIN, dev=TRAIN, may_lack=True)}
    if any(_REHEARSED in head.corpora for head in heads.values()):
        weight = effort.replay_share * gold / replay
        corpora[_REHEARSED] = CorpusConfig(
            REPLAY, train=REPLAY, dev=TRAIN, may_lack=True, weight=weight, judges=False
        )
    groups = {head.group for head in heads.values()}
    return Recipe(
        name=name,
        encoder=shape.encoder,
        corpora=corpora,
        heads=heads,
        groups={group: config for group, config in shape.groups.items() if group in groups},
        train=_training(effort, start, is_narrow=bool(shape.export.input_rank)),
        window=shape.window,
        export=shape.export,
        transfer=_transfer(start, effort),
        description=f"Trained on corrected documents of a project; finds {', '.join(labels)}.",
        language=shape.language,
        licence=shape.licence,
        threads=1,
    )


class _Shape(NamedTuple):
    """What a recipe takes over from its start."""

    encoder: EncoderConfig
    window: WindowConfig
    export: ExportConfig
    heads: dict[str, HeadConfig]
    groups: dict[str, GroupConfig]
    language: str
    licence: str


def _fresh_shape() -> _Shape:
    """That of a small model of its own, as wide as `bilm-bio`, which it may start from."""
    export = ExportConfig(keep_weights=False, word_bits=8)
    return _Shape(BlstmCnn(hidden_width=224), WindowConfig(), export, {}, {}, "en", "not stated")


def _shape(folder: Path) -> _Shape:
    model = open_model(folder)
    spec = model.spec
    if spec.encoder.kind == "transformer":
        raise ModelError(
            f"{folder}: is a transformer, which a project cannot go on from; choose another start"
        )
    if "recipe.toml" not in spec.files:
        raise ModelError(
            f"{folder}: has no recipe.toml, so that no training can go on from it; choose another start"
        )
    recipe = parse_recipe(read_toml(folder / "recipe.toml"), str(folder / "recipe.toml"))
    is_narrow = spec.forms is not None and bool(recipe.export.input_rank)
    export = msgspec.structs.replace(
        recipe.export,
        keep_weights=False,
        input_rank=spec.forms.width if is_narrow and spec.forms else 0,
        most_words=0,
        beside="",
    )
    heads = {head.name: recipe.heads[head.name] for head in spec.heads if head.name in recipe.heads}
    return _Shape(recipe.encoder, recipe.window, export, heads, recipe.groups, spec.language, spec.licence)


def _heads(
    labels: Sequence[str], shape: _Shape, likeness: Mapping[str, str], trusted: Collection[str]
) -> dict[str, HeadConfig]:
    """The heads of the start without the labels the project lacks, and a head for each label that is new.

    A head rehearses where all its labels are trusted: of a new label, or one it finds badly, the present
    model says nothing worth rehearsing.
    """
    heads: dict[str, HeadConfig] = {}

    def sources(names: Iterable[str]) -> tuple[str, ...]:
        return (GOLD, _REHEARSED) if set(names) <= set(trusted) else (GOLD,)

    for name, head in shape.heads.items():
        kept = tuple(label for label in head.labels if label in labels)
        if kept:
            heads[name] = msgspec.structs.replace(head, labels=kept, corpora=sources(kept), begins_as={})
    known = {label for head in heads.values() for label in head.labels}
    for label in labels:
        if label in known:
            continue
        like = likeness.get(label)
        origin = next((head for head in shape.heads.values() if like in head.labels), None)
        heads[_head_name(label, {*heads, *shape.heads})] = HeadConfig(
            labels=(label,),
            corpora=sources([label]),
            level=origin.level if origin else -1,
            group=origin.group if origin else None,
            begins_as={label: like} if like and origin else {},
        )
    return heads


def _head_name(label: str, taken: Collection[str]) -> str:
    """A name for the head of a label: its letters and digits, and a number where another head has these."""
    plain = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "label"
    names = chain([f"new-{plain}"], (f"new-{plain}-{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def _training(effort: Effort, start: Start, *, is_narrow: bool) -> TrainConfig:
    return TrainConfig(
        epochs=effort.epochs,
        patience=effort.epochs,
        batch_words=effort.batch_words,
        learning_rate=effort.learning_rate * (1 if start == "model" else _FRESH_FACTOR),
        average=effort.average,
        head_dropout=effort.head_dropout,
        word_dropout=effort.word_dropout,
        narrow_first=is_narrow,
        score_start=True,
        resumable=False,
        max_misaligned=0.99,
        max_leaked=0.99,
    )


def _transfer(start: Start, effort: Effort) -> TransferConfig | None:
    if start == "nothing":
        return None
    source = start if start != "model" else "the present model"
    return TransferConfig(
        source=source, encoder_rate=effort.encoder_rate, word_rate=effort.word_rate, heads=start == "model"
    )


def likeness_of(
    gold: Sequence[Document], predicted: Sequence[Document], labels: Sequence[str], known: Collection[str]
) -> dict[str, str]:
    """For each label the present model lacks, the label it gives to most of the mentions of the new one.

    Args:
        gold: documents as they were corrected.
        predicted: the same with what the present model finds.
        labels: of the project.
        known: labels of the present model.

    Returns:
        Only labels of which the model's label covers a third of the mentions or more.
    """
    found: dict[str, Counter[str]] = {label: Counter() for label in labels if label not in known}
    total: Counter[str] = Counter()
    for right, guess in zip(gold, predicted, strict=True):
        by_place: dict[tuple[int, int], list[str]] = {}
        for entity in guess.entities:
            by_place.setdefault((entity.start, entity.end), []).append(entity.label)
        for entity in right.entities:
            if entity.label in found:
                total[entity.label] += 1
                found[entity.label].update(by_place.get((entity.start, entity.end), ()))
    best = {label: counts.most_common(1)[0] for label, counts in found.items() if counts}
    return {label: like for label, (like, count) in best.items() if count >= LIKE_SHARE * total[label]}

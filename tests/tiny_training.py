"""Tiny recipes, an invented corpus and networks with lively weights, for tests of training."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import torch

from medspan.config import parse_recipe
from medspan.features.batch import Featurizer
from medspan.features.cut import cut, unit_chunks
from medspan.features.vocab import build_vocab
from medspan.model.spec import Provenance
from medspan.train.data import Counts, Example, TrainingCorpus
from medspan.train.network import Network
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from medspan.config import Recipe
    from medspan.train.export import Export

KINDS = ("blstm_cnn", "char_blstm", "window", "cnn")
HEAD_KINDS = ("crf", "softmax")
WORDS = {
    "word_width": 12,
    "char_width": 8,
    "char_filters": 8,
    "case_width": 4,
    "max_chars": 8,
    "min_count": 1,
}
SIZES: dict[str, dict[str, object]] = {
    "blstm_cnn": {**WORDS, "hidden_width": 16, "layers": 2},
    "char_blstm": {"char_width": 16, "hidden_width": 16, "layers": 2, "max_chars": 8},
    "window": {**WORDS, "hidden_width": 24, "layers": 2, "reach": 2},
    "cnn": {**WORDS, "hidden_width": 24, "dilations": (1, 2, 1)},
}
PROVENANCE = Provenance("0.1.0", "2.6.0", 13, "2025-01-01", "medspan train tiny.toml", "0" * 64)
_DRUGS = ("zelvorin", "amoxitane", "ferrulin", "dacoprime sulfate", "K-12 oxide", "bromatin")
_DISEASES = ("grey fever", "nodular ankylia", "dry lung", "hyperplaxia", "Morand's syndrome")
_FRAMES = (
    "{drug} was given for {disease} .",
    "No sign of {disease} after {drug}, as expected.",
    "We saw {disease} in 12 of 40 patients.",
    "Levels of {drug} (5 mg/day) were low",
    "The weather stayed mild all week.",
)


class Silent:
    """A watcher that keeps nothing."""

    def on_step(self, *_: object) -> None: ...

    def on_epoch(self, *_: object, **__: object) -> None: ...


def tiny_recipe(kind: str, head: str = "crf", *, half: bool = True, **train: object) -> Recipe:
    """Two heads of the same kind over one corpus; the second reads the first level."""
    settings = {"epochs": 4, "batch_words": 120, "learning_rate": 0.01, "head_dropout": 0.1, **train}
    return parse_recipe(
        {
            "name": f"tiny-{kind}",
            "encoder": {"kind": kind, "dropout": 0.1, **SIZES[kind]},
            "corpora": {"invented": {"source": "invented"}},
            "heads": {
                "disease": {"labels": ["Disease"], "corpora": ["invented"], "kind": head},
                "drug": {"labels": ["Drug"], "corpora": ["invented"], "kind": head, "level": 0},
            },
            "train": settings,
            "window": {"words": 30, "overlap": 8},
            "export": {"half": half},
        },
        "tiny.toml",
    )


def tiny_document(number: int) -> Document:
    """An invented document of three sentences, the same for the same number."""
    draw = random.Random(number)  # noqa: S311 - invented text, no secret
    text, entities = "", []
    for _ in range(3):
        chosen = {"drug": draw.choice(_DRUGS), "disease": draw.choice(_DISEASES)}
        for part in draw.choice(_FRAMES).split("{"):
            name, brace, rest = part.partition("}")
            if brace:
                word = chosen[name]
                span = Span(len(text), len(text) + len(word))
                entities.append(Entity(f"T{len(entities)}", name.capitalize(), (span,)))
                text += word
            text += rest if brace else part
        text += "\n"
    return Document(f"invented-{number}", text, entities=tuple(entities))


def tiny_corpus(recipe: Recipe, *, size: int = 60) -> TrainingCorpus:
    """The corpus `tiny_recipe` names, as `read_corpora` would give it."""
    heads = {name: head.labels for name, head in recipe.heads.items()}
    examples = [
        Example(unit.forms(document.text), {h: unit_chunks(document, unit, ls) for h, ls in heads.items()})
        for document in map(tiny_document, range(size))
        for unit in cut(document, size=recipe.window.words, overlap=recipe.window.overlap)
    ]
    dev = [tiny_document(number) for number in range(1000, 1012)]
    labels = frozenset(label for ls in heads.values() for label in ls)
    return TrainingCorpus("invented", tuple(heads), labels, examples, dev, Counts())


def lively_network(recipe: Recipe, corpus: TrainingCorpus) -> tuple[Network, Featurizer]:
    """A network whose weights are large enough that a wrong one shows, and its featurizer."""
    vocab = build_vocab((example.forms for example in corpus.examples), min_count=1)
    torch.manual_seed(5)
    network = Network(recipe, vocab).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.normal_(0.0, 0.3)
            if name.endswith(("words.weight", "chars.weight")):
                parameter[0] = 0.0
    return network, Featurizer(vocab, network.inputs, max_chars=recipe.encoder.max_chars)


def exported(recipe: Recipe, corpus: TrainingCorpus) -> Export:
    """An untrained network with lively weights, ready to be saved."""
    from medspan.train.export import Export  # noqa: PLC0415 - onnx is slow to import

    network, featurizer = lively_network(recipe, corpus)
    return Export(recipe, network, featurizer.vocab, corpora=[corpus], provenance=PROVENANCE)

"""Invented sentences with drugs, doses and effects, and a recipe for them, for tests of relations."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from medspan import formats
from medspan.train.relations.settings import parse_relation_recipe
from medspan.types import Document, Entity, Relation, Span
from tiny_training import SIZES

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.train.relations.settings import RelationRecipe

LABELS = ("Dosage", "Effect")
_DRUGS = ("zelvorin", "amoxitane", "ferrulin", "dacoprime sulfate", "bromatin")
_DOSES = ("5 mg", "12 mg daily", "200 units")
_EFFECTS = ("grey fever", "dry lung", "nausea")
_FRAMES = (
    ("{Drug:a} {Dosage:b} was given for a week.", (("Dosage", "a", "b"),)),
    ("{Effect:b} came after {Drug:a}, not after {Drug:c}.", (("Effect", "a", "b"),)),
    ("We gave {Drug:a} {Dosage:b} and {Drug:c} {Dosage:d}.", (("Dosage", "a", "b"), ("Dosage", "c", "d"))),
    ("{Drug:a} is not known to cause {Effect:b}.", ()),
)
_NAMES = {"Drug": _DRUGS, "Dosage": _DOSES, "Effect": _EFFECTS}


def tiny_related(number: int, sentences: int = 3) -> Document:
    """An invented document with entities and relations, the same for the same number."""
    draw = random.Random(number)  # noqa: S311 - invented text, no secret
    text, entities, relations = "\U0001f48a ", [], []
    for _ in range(sentences):
        frame, related = draw.choice(_FRAMES)
        ids: dict[str, str] = {}
        for part in frame.split("{"):
            slot, brace, rest = part.partition("}")
            if not brace:
                text += part
                continue
            label, _, name = slot.partition(":")
            word = draw.choice(_NAMES[label])
            ids[name] = f"T{len(entities)}"
            entities.append(Entity(ids[name], label, (Span(len(text), len(text) + len(word)),)))
            text += word + rest
        relations += [(label, ids[head], ids[tail]) for label, head, tail in related]
        text += "\n"
    return Document(
        f"invented-{number}",
        text,
        entities=tuple(entities),
        relations=tuple(Relation(f"R{i}", *relation) for i, relation in enumerate(relations)),
    )


def write_corpus(folder: Path, *, train: int = 40, dev: int = 10) -> None:
    """A corpus folder of invented documents."""
    folder.mkdir(exist_ok=True)
    formats.write([tiny_related(i) for i in range(train)], folder / "train.jsonl", "jsonl")
    formats.write([tiny_related(1000 + i) for i in range(dev)], folder / "dev.jsonl", "jsonl")


def relation_tables(kind: str = "pairs", **relations: object) -> dict[str, object]:
    """The tables of a recipe over the corpus folder ``corpus`` beside it."""
    return {
        "name": f"tiny-{kind}",
        "encoder": {"kind": "blstm_cnn", "dropout": 0.1, **SIZES["blstm_cnn"]},
        "corpora": {"invented": {"source": "corpus"}},
        "relations": {
            "labels": list(LABELS),
            "kind": kind,
            "width": 16,
            "hidden_width": 12,
            "dropout": 0.1,
            "views": {"pairs": [["Drug", "Dosage"], ["Drug", "Effect"]], "reach": 8},
            **relations,
        },
        "train": {
            "epochs": 6,
            "batch_words": 120,
            "learning_rate": 0.01,
            "word_dropout": 0.0,
            "checkpoint_steps": 1,
        },
        "window": {"words": 60, "overlap": 8},
        "threads": 1,
    }


def relation_recipe(kind: str = "pairs", **relations: object) -> RelationRecipe:
    """The recipe of these tables."""
    return parse_relation_recipe(relation_tables(kind, **relations), "tiny.toml")

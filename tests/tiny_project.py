"""A project over invented documents, and a small model with arbitrary weights to start from."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
import torch

from medspan.project import Project
from medspan.project.documents import digest_of, marks_of
from medspan.project.learning import Effort
from medspan.train.export import Export
from medspan.train.loop import Trainer
from tiny_training import PROVENANCE, Silent, exported, tiny_corpus, tiny_document, tiny_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.project.structs import Run

EFFORT = Effort(epochs=8, learning_rate=0.02, encoder_rate=1.0, batch_words=120)
LABELS = ("Disease", "Drug")


def tiny_model(folder: Path, *, epochs: int = 0) -> Path:
    """A model folder without ``model.safetensors``, as shipped ones are.

    Its weights are arbitrary, or those of a few epochs on few documents.
    """
    recipe = tiny_recipe("blstm_cnn", epochs=max(1, epochs))
    export = msgspec.structs.replace(recipe.export, keep_weights=False)
    recipe = msgspec.structs.replace(recipe, export=export)
    corpus = tiny_corpus(recipe, size=30)
    if not epochs:
        exported(recipe, corpus).save(folder, {}, "card")
        return folder
    trainer = Trainer(recipe, [corpus], folder.parent, torch.device("cpu"))
    trainer.run(Silent())
    made = Export(recipe, trainer.network, trainer.vocab, corpora=[corpus], provenance=PROVENANCE)
    made.save(folder, {}, "card")
    return folder


def tiny_project(folder: Path, *, documents: int = 40, done: int = 30) -> Project:
    """A project in which anna has corrected the first documents to their gold."""
    project = Project(folder / "tiny.medspan", labels=LABELS)
    gold = {digest_of(d.text): marks_of(d) for d in map(tiny_document, range(documents * 2))}
    blank = [tiny_document(number).replace(entities=()) for number in range(documents * 2)]
    project.documents.add(blank[:documents], "documents")
    for row in project.documents.all()[:done]:
        marks = gold[digest_of(row.text)]
        project.annotations.save(str(row.number), "anna", marks=marks, state="done", revision=0)
    return project


def wait_for(project: Project, number: int, seconds: float = 240) -> Run:
    """A run when it has come to its end."""
    until = time.monotonic() + seconds
    while (run := project.runs.get(number)).is_going and time.monotonic() < until:
        time.sleep(0.1)
    return run

"""A whole run of a relation recipe: run folder with log and checkpoint → proved model folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import torch

from medspan.model.relation_spec import KNOWN_FILES
from medspan.model.store import check_replaceable
from medspan.train.relations.data import read_relation_corpora
from medspan.train.relations.export import RelationExport
from medspan.train.relations.loop import RelationTrainer, strict_micro
from medspan.train.relations.settings import load_relation_recipe
from medspan.train.run import carry_out, find_hub, length_of, provenance_of, run_folder
from medspan.train.scorer import pick_device
from medspan.train.transfer import find_donor, licence_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from medspan.metrics.counts import Score
    from medspan.model.session import Device
    from medspan.model.spec import Provenance
    from medspan.train.epochs import Watcher
    from medspan.train.relations.settings import RelationRecipe


def train_relations(
    path: Path,
    output: Path,
    *,
    watcher: Watcher,
    tell: Callable[[str], None],
    device: Device = "auto",
    resume: bool = False,
    max_minutes: float | None = None,
    start: Path | None = None,
    command: str = "",
    derive: Callable[[RelationRecipe], RelationRecipe] | None = None,
) -> None:
    """Train a recipe with ``[relations]`` and write the model.

    Args:
        path: the recipe.
        output: the model folder; the run folder stands beside it, with ``.run`` behind its name.
        watcher: hears of every step and epoch.
        tell: hears what a person should read once (counts, warnings).
        device: where to compute; ``cuda`` where there is none is an error.
        resume: go on from the checkpoint of the run folder.
        max_minutes: stop after this time and keep the best weights so far.
        start: a folder whose encoder is copied; takes the place of ``transfer.from`` in the recipe.
        command: the command line, for the model card.
        derive: makes of the recipe in the file the one that is trained.

    Raises:
        UsageError: if the device is not there, or the output is something else than a model.
        ConfigError, DataError, TrainingError, ModelError: as the parts do.
    """
    loaded = load_relation_recipe(path)
    recipe, donor = find_donor(derive(loaded) if derive else loaded, path.parent, start)
    chosen = pick_device(device)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    check_replaceable(output, KNOWN_FILES)
    run = run_folder(output, resume=resume)
    corpora = read_relation_corpora(recipe, path.parent)
    for corpus in corpora:
        tell(corpus.line())
    hub = find_hub(recipe, path.parent, tell)
    trainer = RelationTrainer(recipe, corpora, run, chosen, donor=donor, hub=hub)
    carry_out(trainer, watcher, tell, resume=resume, max_minutes=max_minutes)
    _export(trainer, path, output=output, command=command)


def _export(trainer: RelationTrainer, path: Path, *, output: Path, command: str) -> None:
    """Prove and write the model folder of a finished run."""
    licence = licence_of(trainer.recipe.licence, trainer.donor)
    recipe = msgspec.structs.replace(trainer.recipe, licence=licence)
    provenance = provenance_of(trainer, path, command)
    finished = RelationExport(
        recipe, trainer.network, trainer.vocab, corpora=trainer.corpora, provenance=provenance
    )
    relater = finished.relater()
    dev = {c.name: strict_micro(c.dev, relater.annotate(c.dev), recipe) for c in trainer.corpora}
    scores: dict[str, object] = {
        "measure": "strict relation micro-F1, entities given",
        "dev": dev,
        "dev_of": _dev_of(recipe),
        "none_bias": finished.spec.none_bias,
        "transfer": trainer.transferred,
        **length_of(trainer),
    }
    finished.save(output, scores, relation_card(recipe, provenance, dev))


def _dev_of(recipe: RelationRecipe) -> str:
    folds = recipe.relations.folds
    return f"fold {recipe.relations.fold} of {folds} of the training split" if folds else "dev split"


def relation_card(recipe: RelationRecipe, provenance: Provenance, dev: Mapping[str, Score]) -> str:
    """README.md of a relation model, generated from what is known."""
    views = recipe.relations.views
    facts = {
        "finds": ", ".join(recipe.relations.labels),
        "between": ", ".join(f"{head} and {tail}" for head, tail in views.pairs),
        "needs": "documents with these entities",
        "head": recipe.relations.kind,
        "encoder": recipe.encoder.__struct_config__.tag,
        "language": recipe.language,
        "licence of the weights": recipe.licence,
        "made": f"{provenance.date}, medspan {provenance.medspan}, torch {provenance.torch}",
        "seed": provenance.seed,
        **(
            {"started from": f"{provenance.start.name} ({provenance.start.licence})"}
            if provenance.start
            else {}
        ),
        "command": f"`{provenance.command}`",
    }
    texts = {text.name: text.licence for text in (*provenance.corpora, *provenance.texts)}
    return _CARD.format(
        name=recipe.name,
        description=recipe.description or "A relation model.",
        facts="\n".join(f"- {key}: {value}" for key, value in facts.items()),
        what=_dev_of(recipe),
        dev="\n".join(f"| {name} | {score.f1:.4f} |" for name, score in dev.items()),
        texts="\n".join(f"| {name} | {licence} |" for name, licence in texts.items()),
    )


_CARD = """\
# {name}

{description}

{facts}

## Strict micro-F1 of relations, entities given ({what})

| corpus | F1 |
|---|---|
{dev}

Strict: the label of the relation, and of both ends all borders and the label. The figures chose the
checkpoint and the bias against relations, so they are not those of unseen text.

## Text it was learnt from

| text | licence |
|---|---|
{texts}
"""

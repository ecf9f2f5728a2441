"""A whole run: recipe → run folder with log, curve and checkpoint → proved model folder."""

from __future__ import annotations

import hashlib
import time
import tomllib
from typing import TYPE_CHECKING, Protocol

import msgspec
import torch

import medspan
from medspan.config import TRAINED_PARTS, Transformer, load_recipe, parse_recipe
from medspan.errors import TrainingError, UsageError
from medspan.model.spec import CorpusSpec, Provenance
from medspan.model.store import check_replaceable
from medspan.toml import recipe_toml
from medspan.train.card import model_card
from medspan.train.checkpoint import State, load_checkpoint
from medspan.train.curve import curve_svg
from medspan.train.data import digest_path, read_corpora, source_licence
from medspan.train.distil.lesson import lesson_of
from medspan.train.export import Export
from medspan.train.hub import open_hub_model
from medspan.train.loop import Trainer
from medspan.train.replicas import ALONE
from medspan.train.scorer import pick_device
from medspan.train.transfer import find_donor, licence_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from medspan.config import CorpusConfig, DistilConfig, Recipe
    from medspan.model.session import Device
    from medspan.train.data import TrainingCorpus
    from medspan.train.distil.lesson import Lesson
    from medspan.train.epochs import EpochTrainer, Watcher
    from medspan.train.hub import HubModel
    from medspan.train.replicas import Alone


class Teaching(Protocol):
    """How a run comes by soft labels: `medspan.train.distil.run.Distillation`."""

    def config(self, recipe: Recipe) -> DistilConfig:
        """How a recipe, with what the command line says, teaches."""
        ...

    def lesson(self, recipe: Recipe, run: Path, tell: Callable[[str], None]) -> Lesson:
        """Have the text labelled, or what is left of it."""
        ...


def train(
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
    teaching: Teaching | None = None,
    derive: Callable[[Recipe], Recipe] | None = None,
    replicas: Alone = ALONE,
) -> None:
    """Train a recipe and write the model.

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
        teaching: has teachers label text for a first stage.
        derive: makes of the recipe in the file the one that is trained.
        replicas: the processes that are this run; each is told the same, and the first writes.

    Raises:
        UsageError: if several processes should be taught, the device is not there, or the output is something
            else than a model.
        ConfigError, DataError, TrainingError, ModelError: as the parts do.
    """
    loaded = load_recipe(path)
    loaded = msgspec.structs.replace(loaded, distil=teaching.config(loaded) if teaching else None)
    recipe, donor = find_donor(derive(loaded) if derive else loaded, path.parent, start)
    chosen = pick_device(device)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    if teaching and replicas.size > 1:
        raise UsageError("teaching runs in one process; train several processes without teachers")
    check_replaceable(output)
    hub = find_hub(recipe, path.parent, tell)
    # The others only look after the first has begun to write.
    run = run_folder(output, resume=resume) if not replicas.rank else place_of_run(output)
    corpora = read_corpora(recipe, path.parent, replicas)
    for corpus in corpora:
        tell(describe(corpus))
    lesson = teaching.lesson(recipe, run, tell) if teaching else None
    trainer = Trainer(recipe, corpora, run, chosen, donor=donor, lesson=lesson, hub=hub, replicas=replicas)
    carry_out(trainer, watcher, tell, resume=resume, max_minutes=max_minutes)
    if not replicas.rank:
        export(trainer, recipe, path, output=output, command=command)


def carry_out(
    trainer: EpochTrainer,
    watcher: Watcher,
    tell: Callable[[str], None],
    *,
    resume: bool,
    max_minutes: float | None,
) -> None:
    """Train; the run folder then has the recipe as it was understood, and the curve of the dev scores.

    Args:
        trainer: the run.
        watcher: hears of every step and epoch.
        tell: hears what was copied, and under which licence.
        resume: go on from the checkpoint of the run folder.
        max_minutes: stop after this time and keep the best weights so far.

    Raises:
        TrainingError: if there is no such checkpoint, or the run diverges.
    """
    recipe, folder, is_first = trainer.recipe, trainer.folder, not trainer.replicas.rank
    for line in trainer.transferred.lines() if trainer.transferred else []:
        tell(line)
    if (licence := licence_of(recipe.licence, trainer.donor)) != recipe.licence:
        tell(f"licence of the model: {licence}, as its start has it, and not {recipe.licence}")
    if resume:
        trainer.resume()
    if is_first:
        (folder / "resolved.toml").write_text(recipe_toml(recipe), encoding="utf-8")
    trainer.run(watcher, max_minutes=max_minutes)
    if is_first:
        curve = curve_svg(trainer.state.history, recipe.name)
        (folder / "curve.svg").write_text(curve, encoding="utf-8")


def export_again(
    path: Path,
    run: Path,
    output: Path,
    *,
    tell: Callable[[str], None],
    start: Path | None = None,
    towards_last: float = 0.0,
    command: Callable[[str], str] = str,
) -> None:
    """Write the model of an earlier run anew, as the ``[export]`` part of its recipe says now.

    Args:
        path: the recipe; other parts than ``[export]`` and the descriptions are those the run was made with.
        run: the run folder.
        output: the model folder.
        tell: hears what a person should read once.
        start: what the run started from, where that was not named in the recipe.
        towards_last: 0 for the weights of the best epoch, 1 for those of the last, between for a mean.
        command: the command line of the run for the model card, given its verb.

    Raises:
        TrainingError: if the run has no finished epoch, is damaged, or was made with another recipe.
        ConfigError, DataError, ModelError: as the parts do.
    """
    state, parts = load_checkpoint(run, State)
    trained = parse_recipe(tomllib.loads(state.recipe), str(run))
    loaded = load_recipe(path)
    # What the options of medspan distil were is no part of the recipe.
    loaded = msgspec.structs.replace(loaded, distil=trained.distil)
    recipe, donor = find_donor(loaded, path.parent, start)
    check_replaceable(output)
    changed = [part for part in TRAINED_PARTS if getattr(trained, part) != getattr(recipe, part)]
    if changed:
        raise TrainingError(
            f"{run}: was trained with other settings than {path} has in {', '.join(changed)}; only [export] "
            "may change afterwards"
        )
    if trained.train.narrow_first and trained.export.input_rank != recipe.export.input_rank:
        raise TrainingError(
            f"{run}: was narrowed to {trained.export.input_rank} directions before training "
            "(train.narrow_first); leave export.input_rank at that"
        )
    if not parts.get("best"):
        raise TrainingError(f"{run}: has no finished epoch yet; go on with medspan train --resume")
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    corpora = read_corpora(recipe, path.parent)
    for corpus in corpora:
        tell(describe(corpus))
    hub = find_hub(recipe, path.parent, tell)
    lesson = lesson_of(run, recipe)
    trainer = Trainer(recipe, corpora, run, torch.device("cpu"), donor=donor, lesson=lesson, hub=hub)
    trainer.state = state
    trainer.network.load_state_dict(_between(parts, towards_last))
    made = command("distil --student" if trained.distil else "train")
    if towards_last:
        made += f", then medspan export --towards-last {towards_last:g}"
    export(trainer, recipe, path, output=output, command=made, towards_last=towards_last)


def _between(parts: Mapping[str, dict[str, torch.Tensor]], share: float) -> dict[str, torch.Tensor]:
    """Weights between those of the best epoch and of the last.

    Epochs of one run lie in one basin (Izmailov et al. 2018), so a mean of them is as good as they are.
    """
    best, last = parts["best"], {**parts["model"], **parts.get("average", {})}
    return {
        name: torch.lerp(tensor, last[name], share) if share and tensor.is_floating_point() else tensor
        for name, tensor in best.items()
    }


def find_hub(recipe: Recipe, base: Path, tell: Callable[[str], None]) -> HubModel | None:
    """The public encoder a recipe names, read; None where its encoder starts afresh.

    Raises:
        ModelError, UsageError, MissingExtraError: as `open_hub_model`.
    """
    if not isinstance(recipe.encoder, Transformer):
        return None
    hub = open_hub_model(recipe.encoder.source, base=base, tell=tell)
    size = sum(parameter.numel() for parameter in hub.model.parameters())
    tell(f"encoder: {hub.name} ({hub.family}, {size / 1e6:.1f} M parameters, licence {hub.licence})")
    return hub


def place_of_run(output: Path) -> Path:
    """Where the checkpoints and logs of a model's run stand."""
    return output.with_name(f"{output.name}.run")


def run_folder(output: Path, *, resume: bool) -> Path:
    """The folder of checkpoints and logs beside a model.

    Raises:
        UsageError: if a run stands there that should be resumed or removed first.
    """
    folder = place_of_run(output)
    if (folder / "checkpoint.safetensors").exists() and not resume:
        raise UsageError(f"{folder}: holds an earlier run; go on with --resume, or remove the folder")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def describe(corpus: TrainingCorpus) -> str:
    """One line on what was read of a corpus."""
    counts = corpus.counts
    parts = [f"{corpus.name}: {counts.sentences} sentences, {counts.spans} spans"]
    for count, what in (
        (counts.leaked, "sentences left out (equal to a registered test sentence)"),
        (counts.misaligned, "spans left out (not on word borders)"),
        (counts.nested, "spans left out (inside another span)"),
        (counts.discontinuous, "spans left out (discontinuous)"),
    ):
        if count:
            parts.append(f"{count} {what}")
    return ", ".join(parts)


def export(
    trainer: Trainer, recipe: Recipe, path: Path, *, output: Path, command: str, towards_last: float = 0.0
) -> None:
    """Prove and write the model folder of a finished run."""
    recipe = msgspec.structs.replace(recipe, licence=licence_of(recipe.licence, trainer.donor))
    provenance = provenance_of(trainer, path, command)
    if trainer.lesson:
        taught = trainer.lesson.text.settings
        provenance = msgspec.structs.replace(provenance, teachers=taught.teachers, unlabelled=taught.texts)
    before = trainer.best_dev_scores()
    if towards_last:  # the log knows nothing of these weights
        before = {corpus.name: trainer.dev_score(corpus).f1 for corpus in trainer.judged}
    finished = Export(recipe, trainer.network, trainer.vocab, corpora=trainer.corpora, provenance=provenance)
    trainer.vocab = finished.vocab
    dev = {corpus.name: trainer.dev_score(corpus) for corpus in trainer.judged}
    f1 = {name: score.f1 for name, score in dev.items()}
    scores: dict[str, object] = {
        "measure": "strict entity micro-F1",
        "dev": dev,
        "compression": {
            "half": recipe.export.half,
            "word_bits": recipe.export.word_bits,
            "input_rank": recipe.export.input_rank,
            "words": len(finished.vocab.words),
            "dev_f1_before": {name: round(f1, 4) for name, f1 in before.items()},
        },
        "transfer": trainer.transferred,
        "start_dev_f1": trainer.state.start,
        **length_of(trainer),
        "towards_last": towards_last,
    }
    finished.save(output, scores, model_card(recipe, provenance, f1, {}))


def length_of(trainer: EpochTrainer) -> dict[str, object]:
    """What ``metrics.json`` says of how long a run was; no test split was read."""
    state = trainer.state
    return {
        "test": {},
        "hours": round(state.minutes / 60, 3),
        "epochs": len(state.history),
        "best_epoch": state.best_epoch + 1,
    }


def provenance_of(trainer: EpochTrainer, path: Path, command: str) -> Provenance:
    """Enough to repeat the run.

    Args:
        trainer: the run.
        path: its recipe.
        command: the command line.
    """
    recipe, donor, public = trainer.recipe, trainer.donor, trainer.public
    return Provenance(
        medspan=medspan.__version__,
        torch=str(torch.__version__),
        seed=recipe.train.seed,
        date=time.strftime("%Y-%m-%d"),
        command=command,
        recipe=hashlib.sha256(path.read_bytes()).hexdigest(),
        corpora=tuple(_corpus_spec(config, path.parent) for config in recipe.corpora.values()),
        start=donor.spec if donor else public,
        texts=(*donor.texts, *([public] if public else ())) if donor else (),
    )


def _corpus_spec(config: CorpusConfig, base: Path) -> CorpusSpec:
    digests = {}
    for role, split in (("train", config.train), ("dev", config.dev)):
        file = digest_path(config, split, base)
        if file.is_file():
            digests[role] = hashlib.sha256(file.read_bytes()).hexdigest()
    return CorpusSpec(config.source, source_licence(config.source, base), digests)

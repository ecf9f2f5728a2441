"""Stage 2 of learning from many corpora: each head goes on by itself, and the best on dev is kept.

A model of many corpora (stage 1) is the start of a short run on one head's corpora alone (Chai et al. 2022).
Sharing can hurt a corpus; so the run scores its start too, the head is also trained alone from where the
recipe starts, and of the three (multi-task, fine-tuned, single) the one with the best dev F1 is the model;
the single one only where its lead is more than chance gives.
"""

from __future__ import annotations

import shutil
from functools import partial
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from medspan.config import TransferConfig, load_recipe
from medspan.errors import UsageError, did_you_mean
from medspan.metrics import gain_error
from medspan.model.tagger import load_tagger
from medspan.train.checkpoint import NAME
from medspan.train.data import read_corpora
from medspan.train.folder import write_whole
from medspan.train.loop import document_scores
from medspan.train.run import train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from medspan.config import CorpusConfig, HeadConfig, Recipe
    from medspan.model.session import Device
    from medspan.train.epochs import Watcher

Kept = Literal["multi-task", "fine-tuned", "single"]
CHOICES = "choices.json"
RUNS = "runs"
_METRICS = "metrics.json"
"""Of a model folder; there when a run is finished."""
_SEED, _RESAMPLES = 13, 1000


class Choice(msgspec.Struct, frozen=True):
    """What became the model of a head.

    ``dev`` has the mean strict dev F1 of each candidate, ``error`` the standard error of the lead of the
    single one; 0 where it has none.
    """

    kept: Kept
    dev: dict[Kept, float]
    error: float = 0.0


class _Scores(msgspec.Struct):
    """The part of metrics.json that is needed here."""

    dev: dict[str, dict[str, float]]
    best_epoch: int
    start_dev_f1: dict[str, float] = {}


class Job(NamedTuple):
    """What is the same for all runs of a stage 2: the recipe's file, what is started from, where to write."""

    path: Path
    start: Path
    output: Path
    command: str = ""
    device: Device = "auto"
    with_single: bool = True


def finetune(
    job: Job, heads: Sequence[str], *, watcher: Watcher, tell: Callable[[str], None], resume: bool = False
) -> dict[str, Choice]:
    """Fine-tune heads one by one; the models stand in ``output``, their runs in ``output/runs``.

    Args:
        job: recipe, start and output.
        heads: of the recipe; all that ship where empty.
        watcher: hears of every step and epoch.
        tell: hears what a person should read once.
        resume: keep the runs that are finished, go on with the one that is not.

    Raises:
        UsageError: if the recipe has no such head, or the output holds runs and they are not to be resumed.
        ConfigError, DataError, TrainingError, ModelError: as the parts do.
    """
    recipe = load_recipe(job.path)
    chosen = list(heads) or [name for name, head in recipe.heads.items() if head.ships]
    for name in chosen:
        if name not in recipe.heads:
            raise UsageError(f"{job.path}: has no head {name!r}; {did_you_mean(name, recipe.heads)}")
    if (job.output / RUNS).exists() and not resume:
        raise UsageError(f"{job.output}: holds earlier runs; go on with --resume, or remove the folder")
    choices = _read_choices(job.output)
    for name in chosen:
        # Finished runs stay, so choosing anew costs little; an earlier choice may lack a single run.
        choices[name] = _choose(job, recipe, name, watcher=watcher, tell=tell)
        _write_choices(job.output, choices)
        tell(_line(name, choices[name]))
    return {name: choices[name] for name in chosen}


def _choose(job: Job, recipe: Recipe, head: str, *, watcher: Watcher, tell: Callable[[str], None]) -> Choice:
    settings = partial(_tuned, head=head, start=job.start)
    tuned = _run(job, settings, head, "fine-tuned", watcher=watcher, tell=tell)
    dev: dict[Kept, float] = {"multi-task": fmean(tuned.start_dev_f1.values()), "fine-tuned": _f1(tuned)}
    kept: Kept = "fine-tuned" if tuned.best_epoch else "multi-task"
    error = 0.0
    if job.with_single or (_place(job, head, "single") / _METRICS).exists():
        single = _run(job, partial(_single, head=head), head, "single", watcher=watcher, tell=tell)
        dev["single"] = _f1(single)
        if (lead := dev["single"] - dev["fine-tuned"]) > 0:
            error = _lead_error(job, recipe, head)
            kept = "single" if lead > error * recipe.finetune.margin else kept
    folder = job.output / head
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_place(job, head, "single" if kept == "single" else "fine-tuned"), folder)
    return Choice(kept, {name: round(value, 4) for name, value in dev.items()}, round(error, 4))


def _lead_error(job: Job, recipe: Recipe, head: str) -> float:
    """Standard error of the dev F1 of the single run less that of the fine-tuned one."""
    corpora = read_corpora(_alone(recipe, head), job.path.parent)

    def counts(kind: Kept) -> list[tuple[int, int, int]]:
        tagger = load_tagger(_place(job, head, kind), device=job.device)
        scores = [
            score
            for corpus in corpora
            for score in document_scores(corpus.dev, tagger.annotate(corpus.dev), corpus.labels)
        ]
        return [(score.tp, score.fp, score.fn) for score in scores]

    return gain_error(counts("single"), counts("fine-tuned"), seed=_SEED, resamples=_RESAMPLES)


def _run(
    job: Job,
    derive: Callable[[Recipe], Recipe],
    head: str,
    kind: Kept,
    *,
    watcher: Watcher,
    tell: Callable[[str], None],
) -> _Scores:
    """One run, unless it is finished; its scores."""
    folder = _place(job, head, kind)
    if not (folder / _METRICS).exists():
        tell(f"{head}: {kind}")
        train(
            job.path,
            folder,
            watcher=watcher,
            tell=tell,
            device=job.device,
            resume=(folder.with_name(f"{folder.name}.run") / NAME).exists(),
            start=job.start if kind == "fine-tuned" else None,
            command=job.command,
            derive=derive,
        )
    return msgspec.json.decode((folder / _METRICS).read_bytes(), type=_Scores)


def _place(job: Job, head: str, kind: Kept) -> Path:
    return job.output / RUNS / f"{head}-{kind}"


def _alone(recipe: Recipe, head: str, others: Mapping[str, HeadConfig] = MappingProxyType({})) -> Recipe:
    """The recipe with one head that ships and its corpora, and others that help it."""
    config = msgspec.structs.replace(recipe.heads[head], ships=True)
    settled = msgspec.structs.replace(
        recipe.train, sampling="proportional", conflict_sentences=0, average=recipe.finetune.average
    )
    # Weights share out the epochs of stage 1; alone, what the head learns from is seen whole.
    most = max(recipe.corpora[name].weight for name in config.corpora)
    corpora = {name: _weighted(recipe.corpora[name], 1 / most) for name in config.corpora}
    for other in others.values():
        helping = {name: _weighted(recipe.corpora[name], recipe.finetune.helpers) for name in other.corpora}
        corpora = helping | corpora
    return msgspec.structs.replace(
        recipe,
        name=f"{recipe.name}-{head}",
        corpora={name: corpora[name] for name in recipe.corpora if name in corpora},
        heads={head: config, **others},
        groups={name: group for name, group in recipe.groups.items() if name == config.group},
        train=settled,
        distil=None,
    )


def _tuned(recipe: Recipe, head: str, start: Path) -> Recipe:
    """The run that starts from the model of many corpora, its head and the layer of its type too."""
    settings = recipe.finetune
    alone = _alone(recipe, head, _helpers(recipe, head))
    settled = msgspec.structs.replace(
        alone.train,
        epochs=settings.epochs,
        patience=settings.patience,
        learning_rate=settings.learning_rate,
        score_start=True,
    )
    transfer = TransferConfig(
        source=start.name, encoder_rate=settings.encoder_rate, word_rate=settings.word_rate, heads=True
    )
    return msgspec.structs.replace(alone, train=settled, transfer=transfer)


def _helpers(recipe: Recipe, head: str) -> dict[str, HeadConfig]:
    """The other heads of a head's group, whose corpora may be seen beside its own and choose nothing."""
    group = recipe.heads[head].group if recipe.finetune.helpers else None
    return {
        name: msgspec.structs.replace(other, ships=False)
        for name, other in recipe.heads.items()
        if name != head and group and other.group == group
    }


def _weighted(corpus: CorpusConfig, factor: float) -> CorpusConfig:
    return msgspec.structs.replace(corpus, weight=corpus.weight * factor)


def _single(recipe: Recipe, head: str) -> Recipe:
    """The run that has never seen another corpus; it has no layer between encoder and head."""
    settings = recipe.finetune
    alone = _alone(recipe, head)
    settled = msgspec.structs.replace(
        alone.train, epochs=settings.single_epochs, patience=settings.single_patience
    )
    heads = {head: msgspec.structs.replace(alone.heads[head], group=None)}
    return msgspec.structs.replace(alone, train=settled, heads=heads, groups={})


def _f1(scores: _Scores) -> float:
    return fmean(score["f1"] for score in scores.dev.values())


def _line(head: str, choice: Choice) -> str:
    scores = ", ".join(f"{name} {value:.4f}" for name, value in choice.dev.items())
    error = f" (standard error of its lead {choice.error:.4f})" if choice.error else ""
    return f"{head}: dev F1 {scores}{error}; kept: {choice.kept}"


def _read_choices(output: Path) -> dict[str, Choice]:
    path = output / CHOICES
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Choice]) if path.exists() else {}


def _write_choices(output: Path, choices: dict[str, Choice]) -> None:
    text = msgspec.json.format(msgspec.json.encode(choices), indent=2) + b"\n"
    write_whole(output / CHOICES, text)

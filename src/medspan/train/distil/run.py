"""A whole distillation (Hinton et al. 2015): teachers label text, a student learns from that and from gold.

The student is an ordinary recipe, trained by the ordinary loop with one more source of batches.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import torch

from medspan.config import DistilConfig, load_recipe
from medspan.errors import UsageError
from medspan.model.spec import CorpusSpec, TeacherSpec
from medspan.model.store import open_model
from medspan.model.tagger import load_tagger
from medspan.train.checkpoint import NAME as CHECKPOINT
from medspan.train.data import source_licence
from medspan.train.distil.label import LabelSettings, digest_of, label, read_all
from medspan.train.distil.lesson import Lesson, note_labels
from medspan.train.distil.network import network_tagger
from medspan.train.distil.teachers import Teacher, Teachers
from medspan.train.pretrain.settings import TextConfig
from medspan.train.pretrain.text import source_path
from medspan.train.run import run_folder, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from medspan.config import Recipe
    from medspan.model.session import Device
    from medspan.model.spec import Provenance
    from medspan.model.store import StoredModel
    from medspan.model.tagger import Tagger
    from medspan.train.distil.label import SoftText
    from medspan.train.epochs import Watcher


class DistilSettings(msgspec.Struct, frozen=True):
    """What the command line says.

    Raises:
        UsageError: if a number is out of its range, or there are not as many weights as teachers.
    """

    teachers: tuple[str, ...]
    texts: tuple[str, ...]
    weights: tuple[float, ...] = ()
    """How much each teacher counts; all alike where empty."""
    read_as: str | None = None
    labels: Path | None = None
    """Folder of the soft labels; ``soft`` in the run folder where None."""
    keep_empty: float | None = None
    """In place of ``distil.keep_empty`` of the recipe."""
    gold_weight: float | None = None
    """In place of ``distil.gold_weight`` of the recipe."""

    def __post_init__(self) -> None:
        if not self.teachers or not self.texts:
            raise UsageError("distil: give at least one --teacher and one --text")
        if self.weights and len(self.weights) != len(self.teachers):
            raise UsageError(
                f"distil: {len(self.weights)} weights for {len(self.teachers)} teachers; give a --weight for "
                "each --teacher, in the same order, or none"
            )
        if any(not 0 < weight <= 1e9 for weight in self.weights):  # noqa: PLR2004 - as in recipes
            raise UsageError("distil: a weight is a number above 0")


class Distillation:
    """A `medspan.train.run.Teaching`.

    Args:
        settings: what the command line says.
        device: where teachers compute.
        base: folder of the student's recipe.
    """

    def __init__(self, settings: DistilSettings, device: Device, base: Path) -> None:
        self.settings, self._device, self._base = settings, device, base
        self._models = [open_model(folder) for folder in settings.teachers]
        self._weights = settings.weights or (1.0,) * len(settings.teachers)
        sources = [TextConfig(source=text, format=settings.read_as) for text in settings.texts]
        self._paths = [source_path(source, Path()) for source in sources]

    def config(self, recipe: Recipe) -> DistilConfig:
        """The recipe's table, with what the command line says in its place."""
        config = recipe.distil or DistilConfig()
        given = {"keep_empty": self.settings.keep_empty, "gold_weight": self.settings.gold_weight}
        return msgspec.structs.replace(config, **{k: v for k, v in given.items() if v is not None})

    def lesson(self, recipe: Recipe, run: Path, tell: Callable[[str], None]) -> Lesson:
        """Label the text, or what is left of it."""
        return Lesson(self.label(recipe, run, tell), recipe)

    def label(self, recipe: Recipe, run: Path, tell: Callable[[str], None]) -> SoftText:
        """The same, for students that learn from it later."""
        labels = {name: head.labels for name, head in recipe.heads.items()}
        corpora = {
            name: [recipe.corpora[corpus].source for corpus in head.corpora]
            for name, head in recipe.heads.items()
        }
        teachers: list[Teachers] = []

        def opened() -> Teachers:
            if not teachers:
                loaded = [
                    Teacher(
                        self._tagger(model, recipe.threads, tell),
                        weight,
                        {head.name: head.corpora for head in model.spec.heads},
                    )
                    for model, weight in zip(self._models, self._weights, strict=True)
                ]
                teachers.append(Teachers(loaded, labels, corpora))
            return teachers[0]

        settings = self._label_settings(recipe, labels, corpora)
        folder = self.settings.labels or run / "soft"
        text = label(settings, lambda: read_all(self._paths), folder, teachers=opened, tell=tell)
        note_labels(run, folder)
        return text

    def _tagger(self, model: StoredModel, threads: int | None, tell: Callable[[str], None]) -> Tagger:
        found = network_tagger(model, (Path(), self._base, model.path), self._device)
        if found is None:
            return load_tagger(model.path, device=self._device, threads=threads)
        if threads:
            torch.set_num_threads(threads)
        tell(f"teacher {model.spec.name}: read by torch")
        return found

    def _label_settings(
        self, recipe: Recipe, heads: dict[str, tuple[str, ...]], corpora: dict[str, list[str]]
    ) -> LabelSettings:
        teachers = tuple(
            TeacherSpec(
                model.spec.name,
                model.spec.licence,
                model.digest,
                weight,
                _learnt_from(model.spec.provenance),
            )
            for model, weight in zip(self._models, self._weights, strict=True)
        )
        texts = tuple(
            CorpusSpec(
                Path(name).name if Path(name).exists() else name,
                source_licence(name, Path()),
                {"text": digest_of(path)},
            )
            for name, (path, _) in zip(self.settings.texts, self._paths, strict=True)
        )
        return LabelSettings(
            teachers,
            texts,
            heads,
            {name: tuple(sources) for name, sources in corpora.items()},
            recipe.window.words,
            recipe.train.keep_leaks,
            self.settings.read_as,
        )


def _learnt_from(known: Provenance) -> tuple[CorpusSpec, ...]:
    """All that a teacher had learnt from, its own teachers' corpora included."""
    own = (*known.corpora, *known.texts, *known.unlabelled)
    handed_down = (corpus for teacher in known.teachers for corpus in teacher.corpora)
    return (*own, *(corpus for corpus in handed_down if corpus not in own))


def distil(
    settings: DistilSettings,
    student: Path,
    output: Path,
    *,
    watcher: Watcher,
    tell: Callable[[str], None],
    device: Device = "auto",
    resume: bool = False,
    max_minutes: float | None = None,
    only_labels: bool = False,
    command: str = "",
) -> None:
    """Label text, teach the student, and write its model.

    Args:
        settings: teachers and texts.
        student: the recipe of the student.
        output: the model folder; the run folder stands beside it, with ``.run`` behind its name.
        watcher: hears of every step and epoch.
        tell: hears what a person should read once.
        device: where to compute.
        resume: go on from the checkpoint of the run folder; labels go on by themselves.
        max_minutes: stop training after this time and keep the best weights so far.
        only_labels: stop when the text is labelled.
        command: the command line, for the model card.

    Raises:
        UsageError, ConfigError, DataError, TrainingError, ModelError: as the parts do.
    """
    recipe = load_recipe(student)  # what is wrong with it is said before anything else is read
    teaching = Distillation(settings, device, student.parent)
    if only_labels:
        teaching.label(recipe, run_folder(output, resume=True), tell)
        return
    begun = (output.with_name(f"{output.name}.run") / CHECKPOINT).exists()
    train(
        student,
        output,
        watcher=watcher,
        tell=tell,
        device=device,
        resume=resume and begun,
        max_minutes=max_minutes,
        command=command,
        teaching=teaching,
    )

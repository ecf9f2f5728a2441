"""Self-training: a model labels text, learns from what it is sure of, and keeps the result if dev agrees.

A round labels the text with the present model, keeps sentences it is sure of (`medspan.train.pseudo`), writes
them as JSONL, and trains the recipe with that file as one more corpus under the same heads. Where the mean
dev F1 of the round's models (one a seed) is below that of the model before, the round is dropped and the
present model stays: self-training (Yarowsky 1995) may drift, and nothing but annotated text can tell.

Everything stands in the output folder, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

import msgspec

from medspan import formats
from medspan.config import CorpusConfig, HeadConfig, Recipe, load_recipe
from medspan.corpora import catalogue
from medspan.errors import TrainingError, UsageError
from medspan.model.store import open_model
from medspan.model.tagger import load_tagger
from medspan.toml import recipe_toml
from medspan.train.data import load_split, relabel, source_of
from medspan.train.folder import claim, write_whole
from medspan.train.loop import strict_micro
from medspan.train.pseudo import Thresholds, calibrated, choose
from medspan.weak.sentences import sentences, text_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from medspan.model.tagger import Tagger
    from medspan.types import Document

STATE, RESULT, PSEUDO, THRESHOLDS = "state.json", "result.json", "pseudo.jsonl", "thresholds.json"


class TrainModel(Protocol):
    """Trains the recipe of a path and writes the model; goes on with an earlier run where one stands."""

    def __call__(self, recipe: Path, output: Path, /) -> None:
        """Train."""
        ...


class SelfTraining(msgspec.Struct, frozen=True):
    """What to do.

    Raises:
        UsageError: if a number is out of its range.
    """

    recipe: str
    model: str
    texts: tuple[str, ...]
    read_as: str | None = None
    rounds: int = 1
    """Rounds at most; the first that is dropped is the last."""
    seeds: tuple[int, ...] = ()
    """Seeds of a round's models; the recipe's where empty."""
    share: float = 0.95
    """Share of what is trusted that is right on dev."""
    count: int = 5000
    """Sentences with entities that join training at most."""
    negatives: float = 0.5
    """Sentences without any, for each of those."""
    weight: float = 1.0
    """How often a pseudo-labelled sentence is seen in an epoch."""

    def __post_init__(self) -> None:
        if min(self.rounds, self.count) < 1 or not 0 < self.share <= 1 or self.negatives < 0:
            raise UsageError("selftrain: rounds and count are 1 or more, precision is in 0..1")
        if self.weight <= 0:
            raise UsageError("selftrain: weight is above 0")


class Round(msgspec.Struct, frozen=True):
    """What became of a round."""

    number: int
    read: int
    trusted: int
    pseudo: int
    dev_before: float
    dev_after: float
    dev_by_seed: dict[str, float]
    is_kept: bool


class Result(msgspec.Struct, frozen=True):
    """What became of all: the model to use is ``model`` in the output folder where a round was kept."""

    dev_start: float
    dev_end: float
    rounds: tuple[Round, ...]

    @property
    def is_better(self) -> bool:
        """Whether a round was kept."""
        return any(each.is_kept for each in self.rounds)


class _State(msgspec.Struct, frozen=True):
    """What a folder was begun with: the settings, and digests of what they name."""

    settings: SelfTraining
    recipe: str
    model: str


def self_train(
    settings: SelfTraining, output: Path, *, train: TrainModel, tell: Callable[[str], None]
) -> Result:
    """Run all rounds, or those that are left.

    Args:
        settings: what to do.
        output: the folder, new or of an earlier run with the same settings.
        train: trains one model.
        tell: hears a line on each step.

    Raises:
        UsageError: if a text is not there, the folder holds something else, or its run had other settings.
        TrainingError: if nothing on dev or in the text is sure enough.
        ConfigError, DataError, ModelError: as the parts do.
    """
    recipe = load_recipe(Path(settings.recipe))
    if absent := [text for text in settings.texts if not Path(text).exists()]:
        raise UsageError(f"{absent[0]}: no such file or folder; name unlabelled text with --text")
    _claim(settings, output)
    run = _Run(settings, recipe, output, train, tell)
    present = Path(settings.model)
    start = before = run.dev_f1(load_tagger(present))
    tell(f"dev F1 of the model to start from: {start:.4f}")
    rounds = []
    for number in range(1, settings.rounds + 1):
        done = run.round(number, present, before)
        rounds.append(done)
        tell(_verdict(done))
        if not done.is_kept:
            break
        present, before = run.best(number, done), done.dev_after
    result = Result(start, before, tuple(rounds))
    if result.is_better:
        _copy_model(present, output / "model")
    write_whole(output / RESULT, msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return result


def _claim(settings: SelfTraining, output: Path) -> None:
    """Begin a folder, or make sure that it was begun with the same settings."""
    recipe = hashlib.sha256(Path(settings.recipe).read_bytes()).hexdigest()
    state = msgspec.json.encode(_State(settings, recipe, open_model(settings.model).digest))
    what = "other settings, another recipe or another model"
    claim(output, STATE, state, what=what)


def _verdict(done: Round) -> str:
    change = f"dev F1 {done.dev_before:.4f} -> {done.dev_after:.4f}"
    counts = f"{done.pseudo} of {done.trusted} trusted sentences ({done.read} read)"
    if done.is_kept:
        return f"round {done.number}: {change} with {counts}: kept"
    return f"round {done.number}: {change} with {counts}: dev F1 fell, so the round is dropped"


class _Run:
    """The steps of a run, each of which leaves a file and is not done again."""

    def __init__(
        self,
        settings: SelfTraining,
        recipe: Recipe,
        output: Path,
        train: TrainModel,
        tell: Callable[[str], None],
    ) -> None:
        self.settings, self.recipe, self.output = settings, recipe, output
        self._train, self._tell = train, tell
        self._base = Path(settings.recipe).parent
        self.labels = {name: _labels_of(recipe, name) for name in recipe.corpora}
        self.dev = {name: self._split(config, config.dev) for name, config in recipe.corpora.items()}
        self._seeds = settings.seeds or (recipe.train.seed,)

    def _split(self, config: CorpusConfig, split: str) -> list[Document]:
        source = source_of(config.source, self._base)
        return relabel(load_split(source, split, self._base, config), config.labels)

    def dev_f1(self, tagger: Tagger) -> float:
        """The mean over corpora of strict micro F1 on dev, which training selects by."""
        return fmean(
            strict_micro(gold, tagger.annotate(gold), self.labels[name]).f1 for name, gold in self.dev.items()
        )

    def folder(self, number: int) -> Path:
        """Where a round stands."""
        return self.output / f"round-{number}"

    def best(self, number: int, done: Round) -> Path:
        """The model of a round that is best on dev."""
        seed = max(done.dev_by_seed, key=lambda name: done.dev_by_seed[name])
        return self.folder(number) / f"seed-{seed}"

    def round(self, number: int, present: Path, before: float) -> Round:
        """Do what is left of a round."""
        folder = self.folder(number)
        result = folder / "round.json"
        if result.exists():
            return msgspec.json.decode(result.read_bytes(), type=Round)
        folder.mkdir(exist_ok=True)
        chosen = self._label(folder, number, present)
        scores = {str(seed): self._train_seed(folder, seed) for seed in self._seeds}
        after = fmean(scores.values())
        done = Round(number, *chosen, before, after, scores, is_kept=after >= before)
        write_whole(result, msgspec.json.encode(done))
        return done

    def _label(self, folder: Path, number: int, present: Path) -> tuple[int, int, int]:
        """Write the round's pseudo-labelled sentences, unless they stand there: read, trusted, taken."""
        counts = folder / "counts.json"
        if counts.exists():
            return msgspec.json.decode(counts.read_bytes(), type=tuple[int, int, int])
        tagger = load_tagger(present)
        thresholds = calibrated(tagger, self.dev, self.labels, self.settings.share)
        write_whole(folder / THRESHOLDS, msgspec.json.encode(thresholds))
        self._tell(f"round {number}: {_describe(thresholds)}")
        chosen = choose(
            tagger,
            self._texts(),
            thresholds,
            count=self.settings.count,
            negatives=self.settings.negatives,
            seed=self._seeds[0] + number,
            known=self._annotated(),
        )
        if not chosen.documents:
            raise TrainingError(
                "no sentence of the text is sure enough to learn from; lower --precision, or give more text"
            )
        formats.write(chosen.documents, folder / PSEUDO, "jsonl")
        result = (chosen.read, chosen.trusted, len(chosen.documents))
        write_whole(counts, msgspec.json.encode(result))
        return result

    def _texts(self) -> Iterable[Document]:
        for text in self.settings.texts:
            yield from formats.read(Path(text), self.settings.read_as)

    def _annotated(self) -> frozenset[int]:
        """The sentences of the training and dev splits: they are known better than by guessing."""
        splits = [self._split(config, config.train) for config in self.recipe.corpora.values()]
        return frozenset(
            text_key(sentence.text)
            for documents in (*splits, *self.dev.values())
            for sentence in sentences(documents)
        )

    def _train_seed(self, folder: Path, seed: int) -> float:
        """Train a model of a round, unless it stands there, and score it on dev."""
        output = folder / f"seed-{seed}"
        if not (output / "config.json").exists():
            path = folder / f"seed-{seed}.toml"
            path.write_text(recipe_toml(self._recipe(folder, seed)), encoding="utf-8")
            self._train(path, output)
        return self.dev_f1(load_tagger(output))

    def _recipe(self, folder: Path, seed: int) -> Recipe:
        """The recipe with the pseudo-labelled sentences as one more corpus of each head that can use them."""
        labels = {e.label for document in formats.read(folder / PSEUDO) for e in document.entities}
        heads = {name: head for name, head in self.recipe.heads.items() if set(head.labels) <= labels}
        if not heads:
            raise TrainingError(
                "no head has all its labels among the trusted sentences; lower --precision, or give more text"
            )
        corpora = {name: _moved(each, self._base, folder) for name, each in self.recipe.corpora.items()}
        added: dict[str, HeadConfig] = {}
        for name, head in heads.items():
            first = head.corpora[0]
            dev = f"dev-{first}.jsonl"
            formats.write(self.dev[first], folder / dev, "jsonl")
            corpora[f"pseudo-{first}"] = CorpusConfig(
                source=PSEUDO, train="train", dev=dev, weight=self.settings.weight
            )
            added[name] = msgspec.structs.replace(head, corpora=(*head.corpora, f"pseudo-{first}"))
        changed = msgspec.structs.replace(
            self.recipe,
            corpora=corpora,
            heads={**self.recipe.heads, **added},
            train=msgspec.structs.replace(self.recipe.train, seed=seed),
        )
        return _with_moved_start(changed, self._base, folder)


def _labels_of(recipe: Recipe, corpus: str) -> frozenset[str]:
    return frozenset(
        label for head in recipe.heads.values() if corpus in head.corpora for label in head.labels
    )


def _moved(config: CorpusConfig, base: Path, folder: Path) -> CorpusConfig:
    """A corpus whose paths, relative to one folder, are relative to another."""

    def split(name: str) -> str:
        return _moved_path(name, base, folder) if Path(name).suffix else name

    source = config.source if config.source in catalogue() else _moved_path(config.source, base, folder)
    return msgspec.structs.replace(config, source=source, train=split(config.train), dev=split(config.dev))


def _moved_path(name: str, base: Path, folder: Path) -> str:
    beside = base / name
    return os.path.relpath(beside, folder) if beside.exists() else name


def _with_moved_start(recipe: Recipe, base: Path, folder: Path) -> Recipe:
    """The same for the model a recipe starts from."""
    start = recipe.transfer
    if start is None:
        return recipe
    moved = msgspec.structs.replace(start, source=_moved_path(start.source, base, folder))
    return msgspec.structs.replace(recipe, transfer=moved)


def _describe(thresholds: Thresholds) -> str:
    limits = ", ".join(
        f"{label} never" if limit is None else f"{label} from {limit:.3f}"
        for label, limit in thresholds.entity.items()
    )
    return f"mentions are trusted: {limits or 'none'}"


def _copy_model(source: Path, target: Path) -> None:
    """Copy a model folder whole or not at all."""
    if target.exists():
        shutil.rmtree(target)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part)
    part.rename(target)

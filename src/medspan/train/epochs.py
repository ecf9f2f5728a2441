"""One loop for every recipe over annotated text: epochs of batches, dev scores, checkpoints, resume.

Everything random is a function of seed, epoch and step, so a run killed anywhere and resumed ends with the
weights of an uninterrupted one, byte for byte (CPU, same threads and versions).
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

import torch

from medspan.toml import recipe_toml
from medspan.train.checkpoint import State, resume_run, save_history, save_run
from medspan.train.optim import Average, Optimizer, learning_rate, refuse_divergence
from medspan.train.replicas import ALONE
from medspan.train.transfer import rate_factors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from medspan.config import Recipe, TrainConfig
    from medspan.features.vocab import Vocab
    from medspan.model.spec import CorpusSpec
    from medspan.train.checkpoint import EpochRow
    from medspan.train.distil.lesson import Lesson
    from medspan.train.encoded import EncodedNetwork
    from medspan.train.replicas import Alone
    from medspan.train.transfer import Donor, Transferred


class Watcher(Protocol):
    """What wants to know how a run goes."""

    def on_step(self, state: State, total_steps: int, loss: float) -> None:
        """A batch was learnt."""

    def on_epoch(self, row: EpochRow, *, is_best: bool) -> None:
        """An epoch ended and was scored."""


class Course:
    """How long a run goes on, and how fast: as ``[train]`` says. A `Lesson` is one of two stages.

    Args:
        config: the table of the recipe.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.epochs = config.epochs
        self._config = config

    def steps(self, batches: Callable[[int], int]) -> int:
        """All steps of a run, given how many batches an epoch has."""
        self._total = self.epochs * -(-batches(0) // self._config.accumulate)
        return self._total

    def rate(self, state: State) -> float:
        """The learning rate of a step."""
        return learning_rate(self._config, state.step, self._total)

    def patient_since(self, state: State) -> int:
        """The epoch from which on dev may get no better without end."""
        return state.best_epoch


class EpochTrainer(ABC):
    """A run over annotated text: network, optimiser and where it stands.

    Those who inherit make the network, and say which batches an epoch has, what the loss of one is, and how
    good the network is on dev; then they call `_plan`.

    Args:
        recipe: what to train.
        network: its encoder may have been copied from elsewhere; it is moved to the device.
        vocab: what the network was made with.
        folder: the run folder, for checkpoints and ``metrics.jsonl``.
        device: where to compute.
        transferred: what was copied, if anything was.
        replicas: the processes that are this run.
    """

    network: EncodedNetwork
    recipe: Recipe
    donor: Donor | None
    """What the encoder was copied from, without its tensors; for its name, licence and texts."""
    public: CorpusSpec | None
    """The public encoder a ``transformer`` started from."""

    def __init__(
        self,
        recipe: Recipe,
        network: EncodedNetwork,
        vocab: Vocab,
        *,
        folder: Path,
        device: torch.device,
        transferred: Transferred | None,
        replicas: Alone = ALONE,
    ) -> None:
        self.recipe, self.vocab, self.folder, self.device = recipe, vocab, folder, device
        self.network, self.transferred, self.replicas = network.to(device), transferred, replicas
        # What a network begins as may depend on the words that were read, and each process read others.
        replicas.spread(list(network.state_dict().values()))
        copied = transferred.loaded if transferred else ()
        self.rates = network.rates
        self.optimizer = Optimizer(network, recipe.train, {*copied, *self.rates})
        self.average = Average(network, recipe.train.average)
        self.best: dict[str, Tensor] = {}
        self.state = State(recipe_toml(recipe), vocab.digest())

    def _plan(self, course: Course | Lesson) -> None:
        """Say how long the run goes on; after this the batches of an epoch can be told."""
        self.course = course
        self.total_steps = course.steps(lambda epoch: len(self._groups(epoch)))

    @abstractmethod
    def _groups(self, epoch: int) -> list[tuple[int, list[int]]]:
        """The batches of an epoch: a corpus, and which of its examples."""

    @abstractmethod
    def _batch_loss(self, corpus: int, members: list[int], number: int) -> tuple[Tensor, int] | None:
        """The loss of a batch and its words; None where nothing is to be learnt from it.

        Args:
            corpus: by its number.
            members: the examples, by theirs.
            number: of the batch in the whole run, which what is drawn for it depends on.
        """

    @abstractmethod
    def _dev_scores(self) -> dict[str, float]:
        """Strict micro F1 on dev by corpus, with the weights as they are."""

    def _mean(self, scores: Mapping[str, float]) -> float:
        """Of the dev scores that choose."""
        return fmean(scores.values())

    def _conflict(self) -> dict[str, float]:
        """Cosines between corpora of the gradients of the encoder, by ``a|b``; empty where not asked for."""
        return {}

    def resume(self) -> None:
        """Go on from the checkpoint of the run folder.

        Raises:
            TrainingError: if there is none, or it belongs to another recipe.
        """
        self.state, self.best = resume_run(
            self.folder,
            self.state,
            network=self.network,
            optimizer=self.optimizer,
            average=self.average,
        )

    def run(self, watcher: Watcher, *, max_minutes: float | None = None) -> None:
        """Train until epochs, patience or minutes are over; the best weights end in the network."""
        spent, started = self.state.minutes, time.monotonic()

        def is_late() -> bool:
            self.state.minutes = spent + (time.monotonic() - started) / 60
            late = max_minutes is not None and self.state.minutes >= max_minutes
            return late if max_minutes is None else self.replicas.first(late, bool)

        if self.recipe.train.score_start and not self.best:
            self.state.start = self._dev_scores()
            self._keep_best(self.state.start, epoch=-1)
        while not self._is_done() and not (self.best and is_late()):
            self.network.train()
            epoch_started, words = time.monotonic(), 0
            groups = self._groups(self.state.epoch)
            while self.state.position < len(groups):
                words += self._step(groups, watcher)
                if is_late():
                    break
                if self.state.step % self.recipe.train.checkpoint_steps == 0:
                    self.save()
            self._end_epoch(watcher, words / max(1e-9, time.monotonic() - epoch_started))
        self.network.load_state_dict(self.best)

    def _is_done(self) -> bool:
        state, since = self.state, self.course.patient_since(self.state)
        is_patient = state.epoch - 1 - since < self.recipe.train.patience or not state.history
        return state.epoch >= self.course.epochs or not is_patient

    def _step(self, groups: Sequence[tuple[int, list[int]]], watcher: Watcher) -> int:
        """Learn from as many batches as a step takes; the number of words learnt from."""
        config, state, replicas = self.recipe.train, self.state, self.replicas
        chosen = groups[state.position : state.position + config.accumulate]
        torch.manual_seed((config.seed * 1_000_003 + state.step) * replicas.size + replicas.rank)
        total, words = 0.0, 0
        for offset, (corpus, members) in enumerate(chosen):
            number = (state.step * config.accumulate + offset) * replicas.size + replicas.rank
            if (found := self._batch_loss(corpus, members, number)) is None:
                continue
            loss = found[0] / len(chosen)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
            words += found[1]
        replicas.average([p for p in self.network.parameters() if p.requires_grad])
        parts = replicas.all((total, words), tuple[float, int])
        total, words = fmean(loss for loss, _ in parts), sum(count for _, count in parts)
        refuse_divergence(total, state.step, "train")
        if words:
            self.optimizer.step(self.course.rate(state), self._factors())
            self.average.update(state.step)
        state.end_step(len(chosen), total)
        watcher.on_step(state, self.total_steps, total)
        return words

    def _factors(self) -> dict[str, float]:
        """Factors of the learning rate in this epoch: those of the encoder, times those of copied tensors."""
        if self.transferred is None or self.recipe.transfer is None:
            return self.rates
        copied = rate_factors(self.recipe.transfer, self.transferred, self.state.epoch)
        return self.rates | {name: rate * self.rates.get(name, 1.0) for name, rate in copied.items()}

    def _end_epoch(self, watcher: Watcher, words_per_second: float) -> None:
        state = self.state
        self.average.swap()
        scores = self._dev_scores()
        is_best = self._keep_best(scores, epoch=state.epoch)
        conflict = self._conflict()
        self.average.swap()
        row = state.end_epoch(
            scores,
            self._mean(scores),
            learning_rate=self.course.rate(state),
            words_per_second=words_per_second,
            conflict=conflict,
        )
        self.save()
        watcher.on_epoch(row, is_best=is_best)

    def _keep_best(self, scores: Mapping[str, float], *, epoch: int) -> bool:
        """Keep the weights as they are, if no earlier ones scored as high."""
        state, mean = self.state, self._mean(scores)
        if mean <= state.best_score:
            return False
        state.best_score, state.best_epoch = mean, epoch
        self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        return True

    def best_dev_scores(self) -> dict[str, float]:
        """Dev F1 of the best weights, on the share of the documents that was scored after their epoch."""
        state = self.state
        return dict(state.history[state.best_epoch].dev if state.best_epoch >= 0 else state.start)

    def save(self) -> None:
        """Write ``metrics.jsonl``, and the checkpoint where the run may go on; the first process does."""
        if self.replicas.rank:
            return
        save_history(self.folder, self.state.history)
        if not self.recipe.train.resumable:
            return
        save_run(
            self.folder,
            self.state,
            network=self.network,
            optimizer=self.optimizer,
            average=self.average,
            best=self.best,
        )

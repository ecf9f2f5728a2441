"""Transformers as language models: words hidden from them are to be predicted; resumable byte for byte.

What is hidden, what is drawn instead and what dropout drops are functions of seed and step, and of a block's
place in its step: not of the batches it is computed in. The state of a run says where in the text it stands.
"""

from __future__ import annotations

import hashlib
import math
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
import numpy as np
import torch
from torch.nn import functional

from medspan.errors import TrainingError
from medspan.toml import recipe_toml
from medspan.train.checkpoint import TextRunState, load_same_run, save_checkpoint, save_history
from medspan.train.optim import Optimizer, learning_rate, refuse_divergence
from medspan.train.pretrain.mlm_families import load_own, own_tensors
from medspan.train.pretrain.mlm_masks import (
    Layout,
    choose_targets,
    cut_blocks,
    join_blocks,
    masked_task,
    permutation_task,
)
from medspan.train.pretrain.mlm_pieces import open_tokenizer, piece_table, special_pieces

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from medspan.train.pretrain.mlm_families import LanguageModel
    from medspan.train.pretrain.mlm_masks import Task, Words
    from medspan.train.pretrain.settings import MlmRecipe
    from medspan.train.pretrain.text import Shard, Text

_ORDER, _HELD_OUT, _STEP = 6, 7, 8  # what a generator is for: no two draw the same numbers


class MlmRow(msgspec.Struct, frozen=True):
    """A line of ``metrics.jsonl``: losses are in nats a predicted piece.

    ``loss`` is that of training since the last row, None in the row before the first step. The held-out loss
    is of the same hidden words in every run and row (all of them masked, for ``mlm``); the pseudo-perplexity
    is its exponential (Salazar et al. 2020 hide one piece at a time, here many are at once).
    """

    step: int
    words: int
    pieces: int
    loss: float | None
    held_out_loss: float
    pseudo_perplexity: float
    learning_rate: float
    pieces_per_second: float
    minutes: float


class MlmState(TextRunState):
    """Where a run stands."""

    start: str = ""
    """SHA-256 of what it started from and of the tokenizer."""
    pieces: int = 0
    """Pieces learnt from, without special ones and padding."""
    history: list[MlmRow] = msgspec.field(default_factory=list)


class MlmWatcher(Protocol):
    """What wants to know how a run goes."""

    def on_step(self, state: MlmState, total_words: int, loss: float) -> None:
        """A step was made."""

    def on_row(self, row: MlmRow) -> None:
        """The held-out loss was measured."""


class _Plan(NamedTuple):
    """A shard: its words as rows of the table of pieces, and the runs that are blocks, int64 (blocks, 2)."""

    rows: NDArray[np.int64]
    blocks: NDArray[np.int64]


class MlmTrainer:
    """A run: network, text, optimiser and where it stands.

    Args:
        recipe: what to train; its parts fit one another (`medspan.train.pretrain.settings.check_mlm_recipe`).
        text: read by `medspan.train.pretrain.text.read_text`.
        folder: the run folder, for checkpoints and ``metrics.jsonl``.
        model: what learns.
        tokenizer: the bytes of its ``tokenizer.json``.
        device: where to compute.
        start: digest of what it started from.
    """

    def __init__(
        self,
        recipe: MlmRecipe,
        text: Text,
        folder: Path,
        *,
        model: LanguageModel,
        tokenizer: bytes,
        device: torch.device,
        start: str,
    ) -> None:
        self.recipe, self.text, self.folder, self.device, self.model = recipe, text, folder, device, model
        self._config = recipe.mlm
        where = f"{recipe.name}: tokenizer.json"
        opened = open_tokenizer(tokenizer, where)
        self.special = special_pieces(opened, model.conventions, where)
        around = len(self.special.lead) + len(self.special.trail)
        self._room = self._config.pieces - around
        self._table = piece_table(opened, text.forms, self.special.unknown, self._room)
        self._layout = Layout(self.special, model.conventions.pads_left, model.conventions.types)
        self.network = model.network.to(device)
        self.optimizer = Optimizer(self.network, self._config.optimiser(is_new=recipe.new is not None))
        forms = hashlib.sha256("\n".join(text.forms).encode()).hexdigest()
        self.state = MlmState(recipe_toml(recipe), forms, start=start)
        self.total_words = self._config.words or self._config.epochs * text.words
        self._held = self._held_out_tasks()

    def resume(self) -> None:
        """Go on from the checkpoint of the run folder.

        Raises:
            TrainingError: if there is none, or it belongs to another recipe, start or tokenizer.
        """
        state, parts = load_same_run(self.folder, self.state)
        if state.start != self.state.start:
            raise TrainingError(
                f"{self.folder}: its checkpoint started from other weights or another tokenizer; give the "
                "folder it was begun with, or start anew"
            )
        self.state = state
        load_own(self.network, parts["model"])
        moments = parts.get("optimizer", {})
        self.optimizer.load({name: tensor.to(self.device) for name, tensor in moments.items()})

    def run(self, watcher: MlmWatcher, *, max_minutes: float | None = None) -> None:
        """Learn until the words or the minutes are over, then measure the held-out loss."""
        self.network.train()
        if not self.state.history:
            self._evaluate(watcher)
        late = None if max_minutes is None else time.monotonic() + 60 * (max_minutes - self.state.minutes)
        while not self._is_over(late):
            plan, order = self._shard()
            size = self._config.batch_blocks * self._config.accumulate
            steps = -(-len(order) // size)
            while self.state.position < steps and not self._is_over(late):
                chosen = order[self.state.position * size :][:size]
                self._step([plan.rows[first:stop] for first, stop in plan.blocks[chosen].tolist()], watcher)
            if self.state.position == steps:
                self.state.end_shard(self.text.shards)
        if self.state.step > self.state.history[-1].step:
            self._evaluate(watcher)
        self.save()

    def _is_over(self, late: float | None) -> bool:
        return self.state.words >= self.total_words or (late is not None and time.monotonic() >= late)

    def _shard(self) -> tuple[_Plan, NDArray[np.int64]]:
        """The shard that is due, and the order of its blocks; every epoch has orders of its own."""
        seed, state = self._config.seed, self.state
        shards = np.random.default_rng([seed, state.epoch, 3]).permutation(self.text.shards)
        plan = self._plan(self.text.shard(int(shards[state.shard])))
        order = np.random.default_rng([seed, state.epoch, state.shard, _ORDER]).permutation(len(plan.blocks))
        return plan, order

    def _plan(self, shard: Shard) -> _Plan:
        rows = self._table.rows(shard)
        return _Plan(rows, cut_blocks(self._table.lengths[rows], shard.lengths, self._room))

    def _step(self, blocks: Sequence[NDArray[np.int64]], watcher: MlmWatcher) -> None:
        config, state = self._config, self.state
        started = time.monotonic()
        torch.manual_seed(config.seed * 1_000_003 + state.step)
        words = [self._table.of(rows) for rows in blocks]
        value = self._learn(self._tasks(words, (_STEP, state.step)))
        refuse_divergence(value, state.step, "mlm")
        self.optimizer.step(self.rate())
        state.pieces += sum(len(ids) for ids, _ in words)
        state.end_step(sum(map(len, blocks)), value, time.monotonic() - started)
        watcher.on_step(state, self.total_words, value)
        if state.step % config.evaluate_steps == 0:
            self._evaluate(watcher)
        if state.step % config.checkpoint_steps == 0:
            self.save()

    def rate(self) -> float:
        """The learning rate that is due."""
        return learning_rate(self.optimizer.config, self.state.words, self.total_words)

    def _tasks(self, blocks: Sequence[Words], place: tuple[int, int]) -> list[Task]:
        """Blocks as batches with what is hidden in them; ``place`` tells their draws from all others."""
        config, found = self._config, []
        is_held_out = place[0] == _HELD_OUT
        longest = config.longest_run or (5 if config.objective == "permutation" else 1)
        for first in range(0, len(blocks), config.batch_blocks):
            some = blocks[first : first + config.batch_blocks]
            rngs = [np.random.default_rng([config.seed, *place, first + i]) for i in range(len(some))]
            batch = join_blocks(some, self._layout)
            targets = choose_targets(batch, config.masked, longest, rngs)
            if config.objective == "permutation":
                found.append(permutation_task(batch, targets, rngs))
            else:
                found.append(masked_task(batch, targets, self.special, None if is_held_out else rngs))
        return found

    def _learn(self, tasks: Sequence[Task]) -> float:
        """Gradients of the mean loss over all targets of the batches; that loss, nats a piece."""
        count = sum(len(task.wanted) for task in tasks)
        value = 0.0
        for task in tasks:
            loss = self._loss(task) / count
            loss.backward()  # type: ignore[no-untyped-call]
            value += loss.item()
        return value

    def _loss(self, task: Task) -> Tensor:
        """The sum of the losses of a batch's targets."""
        with torch.autocast(
            self.device.type,
            dtype=torch.bfloat16,
            enabled=self.device.type != "cpu" or self._config.bfloat16,
        ):
            inputs = {name: torch.from_numpy(array).to(self.device) for name, array in task.inputs.items()}
            rows, columns, wanted = (
                torch.from_numpy(array).to(self.device) for array in (task.rows, task.columns, task.wanted)
            )
            scores = self.model.scores(self.model.states(inputs)[rows, columns])
        return functional.cross_entropy(scores.float(), wanted, reduction="sum")

    def _held_out_tasks(self) -> list[Task]:
        """Blocks of held-out sentences with the same words hidden in every run."""
        config, shard = self._config, self.text.held_out()
        plan = self._plan(shard.only(shard.some(config.held_out_words, config.seed)))
        words = [self._table.of(plan.rows[first:stop]) for first, stop in plan.blocks.tolist()]
        return self._tasks(words, (_HELD_OUT, 0))

    def held_out_loss(self) -> float:
        """Of hidden words of held-out sentences, nats a piece."""
        self.network.eval()
        with torch.inference_mode():
            total = sum(self._loss(task).item() for task in self._held)
        self.network.train()
        return total / sum(len(task.wanted) for task in self._held)

    def _evaluate(self, watcher: MlmWatcher) -> None:
        state, loss = self.state, self.held_out_loss()
        before = state.history[-1].pieces if state.history else 0
        row = MlmRow(
            step=state.step,
            words=state.words,
            pieces=state.pieces,
            loss=state.loss_sum / state.loss_count if state.loss_count else None,
            held_out_loss=round(loss, 4),
            pseudo_perplexity=round(math.exp(min(loss, 50.0)), 3),
            learning_rate=self.rate(),
            pieces_per_second=(state.pieces - before) / max(1e-9, state.seconds),
            minutes=state.minutes,
        )
        state.history.append(row)
        state.loss_sum, state.loss_count, state.seconds = 0.0, 0, 0.0
        watcher.on_row(row)

    def save(self) -> None:
        """Write the checkpoint and ``metrics.jsonl``."""
        parts = {"model": own_tensors(self.network), "optimizer": self.optimizer.tensors()}
        save_checkpoint(self.folder, self.state, parts)
        save_history(self.folder, self.state.history)

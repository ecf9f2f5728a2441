"""The state of a run as one safetensors file, written atomically."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from medspan.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from medspan.train.optim import Average, Optimizer

NAME = "checkpoint.safetensors"


class RunState(msgspec.Struct):
    """What every run knows of itself: the recipe it was begun with, as TOML, and what it was read with."""

    recipe: str
    vocab: str = ""
    """SHA-256 of the vocabulary: the rows of the tables are its words. Empty in checkpoints of old."""


class TextRunState(RunState):
    """Where a run over unannotated text stands; everything random is a function of this and the seed."""

    step: int = 0
    epoch: int = 0
    shard: int = 0
    """Shards of the epoch that are done."""
    position: int = 0
    """Batches or steps of the shard that are done."""
    words: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    seconds: float = 0.0
    """Spent learning since the held-out text was last measured."""
    minutes: float = 0.0

    def end_step(self, words: int, loss: float, seconds: float) -> None:
        """Count a step, the words it learnt from and how long it took."""
        self.step += 1
        self.position += 1
        self.words += words
        self.loss_sum += loss
        self.loss_count += 1
        self.seconds += seconds
        self.minutes += seconds / 60

    def end_shard(self, shards: int) -> None:
        """Go on to the next shard of the epoch, which has so many, or to the next epoch."""
        self.position, self.shard = 0, self.shard + 1
        if self.shard == shards:
            self.shard, self.epoch = 0, self.epoch + 1


_State = TypeVar("_State", bound=RunState)


class EpochRow(msgspec.Struct, frozen=True):
    """A line of ``metrics.jsonl``: scores are strict entity micro-F1 on dev, by corpus, and their mean.

    ``conflict`` has by ``a|b`` the cosine between the gradients that two corpora give the encoder.
    """

    epoch: int
    step: int
    loss: float
    dev: dict[str, float]
    dev_mean: float
    learning_rate: float
    words_per_second: float
    minutes: float
    conflict: dict[str, float] = {}


class State(RunState):
    """Counters of a run; everything random is a function of these and the seed."""

    step: int = 0
    epoch: int = 0
    position: int = 0
    """Batches of the epoch that are done."""
    loss_sum: float = 0.0
    loss_count: int = 0
    minutes: float = 0.0
    best_score: float = -1.0
    best_epoch: int = -1
    start: dict[str, float] = {}
    """Dev F1 by corpus before the first step, where that is scored."""
    history: list[EpochRow] = []

    def end_step(self, batches: int, loss: float) -> None:
        """Count a step and the batches it took."""
        self.step += 1
        self.position += batches
        self.loss_sum += loss
        self.loss_count += 1

    def end_epoch(
        self,
        scores: Mapping[str, float],
        mean: float,
        *,
        learning_rate: float,
        words_per_second: float,
        conflict: Mapping[str, float] = MappingProxyType({}),
    ) -> EpochRow:
        """Write an epoch into the history, and begin the next.

        Args:
            scores: on dev, by corpus.
            mean: of those that choose.
            learning_rate: of the last step.
            words_per_second: learnt from.
            conflict: between corpora, where it was asked for.
        """
        row = EpochRow(
            epoch=self.epoch,
            step=self.step,
            loss=self.loss_sum / max(1, self.loss_count),
            dev=dict(scores),
            dev_mean=mean,
            learning_rate=learning_rate,
            words_per_second=words_per_second,
            minutes=self.minutes,
            conflict=dict(conflict),
        )
        self.history.append(row)
        self.epoch, self.position, self.loss_sum, self.loss_count = self.epoch + 1, 0, 0.0, 0
        return row


def save_checkpoint(folder: Path, state: msgspec.Struct, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write ``part/name`` tensors and the state to a temporary file, then rename it.

    Args:
        folder: of the run.
        state: where the run stands.
        parts: tensors of any shape, by part and name.
    """
    tensors = {
        f"{part}/{name}": tensor.detach().cpu().contiguous()
        for part, named in parts.items()
        for name, tensor in named.items()
    }
    temporary = folder / f"{NAME}.tmp"
    save_file(tensors, temporary, metadata={"state": msgspec.json.encode(state).decode()})
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(folder / NAME)


def load_checkpoint(folder: Path, kind: type[_State]) -> tuple[_State, dict[str, dict[str, Tensor]]]:
    """The state, of the kind it was saved as, and the tensors by part.

    Raises:
        TrainingError: if there is no checkpoint or it is damaged.
    """
    path = folder / NAME
    if not path.exists():
        raise TrainingError(f"{folder}: has no {NAME}; start the run without --resume")
    parts: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            state = msgspec.json.decode((file.metadata() or {})["state"], type=kind)
            for key in file.keys():  # noqa: SIM118 - not a mapping
                part, _, name = key.partition("/")
                parts.setdefault(part, {})[name] = file.get_tensor(key)
    except (SafetensorError, msgspec.MsgspecError, KeyError) as error:
        raise TrainingError(f"{path}: damaged ({error}); delete it and start anew") from None
    return state, parts


def load_same_run(folder: Path, fresh: _State) -> tuple[_State, dict[str, dict[str, Tensor]]]:
    """The checkpoint of a run that goes on.

    Args:
        folder: of the run.
        fresh: its state as it would begin now.

    Raises:
        TrainingError: if there is no checkpoint, it is damaged, or it is of another recipe or text.
    """
    state, parts = load_checkpoint(folder, type(fresh))
    if state.recipe != fresh.recipe:
        raise TrainingError(
            f"{folder}: its checkpoint belongs to another recipe; compare resolved.toml, or start anew"
        )
    if state.vocab and state.vocab != fresh.vocab:
        raise TrainingError(
            f"{folder}: its checkpoint belongs to another text or another start; give those it had, "
            "or start anew"
        )
    return state, parts


def resume_run(
    folder: Path, fresh: State, *, network: nn.Module, optimizer: Optimizer, average: Average
) -> tuple[State, dict[str, Tensor]]:
    """Put what `save_run` wrote back; the state the run had, and its best weights.

    Args:
        folder: of the run.
        fresh: its state as it would begin now.
        network: its weights are replaced.
        optimizer: its moments are replaced.
        average: its weights are replaced.

    Raises:
        TrainingError: as `load_same_run`.
    """
    state, parts = load_same_run(folder, fresh)
    network.load_state_dict(parts["model"])
    optimizer.load(parts.get("optimizer", {}))
    for name, tensor in parts.get("average", {}).items():
        average.weights[name].copy_(tensor)
    return state, parts.get("best", {})


def save_run(
    folder: Path,
    state: State,
    *,
    network: nn.Module,
    optimizer: Optimizer,
    average: Average,
    best: Mapping[str, Tensor],
) -> None:
    """Write the checkpoint of a run over annotated text.

    Args:
        folder: of the run.
        state: where it stands.
        network: its weights now.
        optimizer: its moments.
        average: of the weights, where one is kept.
        best: the weights that scored best; empty before any were scored.
    """
    parts = {
        "model": network.state_dict(),
        "optimizer": optimizer.tensors(),
        "average": average.weights,
        "best": best,
    }
    save_checkpoint(folder, state, parts)


def save_history(folder: Path, history: Sequence[msgspec.Struct]) -> None:
    """Write ``metrics.jsonl``."""
    lines = b"".join(msgspec.json.encode(row) + b"\n" for row in history)
    (folder / "metrics.jsonl").write_bytes(lines)

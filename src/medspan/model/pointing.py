"""The decoder of a model that points: from a head it emits tails one by one, each with a label, then stops.

An LSTM with attention over the words of the sentence (Bahdanau et al. 2015), whose outputs are pointers to
mentions (Vinyals et al. 2015). A step is a few small products, so it runs in numpy; the encoder, which is
nearly all of the work, is the graph. `medspan.train.relations.pointers` is the same in torch, and the
export proves that the two agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from medspan.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

POINTER_OUTPUTS = ("memory", "mentions", "start")
_FAR = np.float32(-1e9)


class Pointing(NamedTuple):
    """Weights of the decoder, float32; ``width`` is that of its states.

    input: (2 x width, 4 x width) and recurrent: (width, 4 x width), gates in torch's order; bias: (4 x
    width,); query: (width, width); mix: (2 x width, width) and mix_bias: (width,); stop: (width,);
    roles: (2 x width, labels) and roles_bias: (labels,); role_vectors: (labels + 1, width), the last begins.
    """

    input: Floats
    recurrent: Floats
    bias: Floats
    query: Floats
    mix: Floats
    mix_bias: Floats
    stop: Floats
    roles: Floats
    roles_bias: Floats
    role_vectors: Floats

    @classmethod
    def read(cls, data: bytes) -> Pointing:
        """From the bytes of ``decoder.safetensors``.

        Raises:
            ModelError: if they do not hold these weights.
        """
        try:
            tensors = load(data)
        except SafetensorError as error:
            raise ModelError(
                f"decoder.safetensors: not a safetensors file ({error}); train the model again"
            ) from None
        if set(tensors) != set(cls._fields):
            raise ModelError("decoder.safetensors: its tensors are not those of a decoder; train it again")
        return cls(**{name: tensors[name].astype(np.float32) for name in cls._fields})

    def pack(self) -> bytes:
        """The bytes of ``decoder.safetensors``."""
        return save({name: np.ascontiguousarray(value) for name, value in self._asdict().items()})


class State(NamedTuple):
    """The decoder between two steps: hidden and cell (rows, width)."""

    hidden: Floats
    cell: Floats


def point(
    decoder: Pointing, outputs: Mapping[str, Floats], arrays: Mapping[str, NDArray[Any]]
) -> list[list[tuple[int, int, float]]]:
    """Decode greedily.

    Args:
        decoder: the weights.
        outputs: of the graph: ``memory`` (rows, places, width), ``mentions`` (rows, mentions, width) and
            ``start`` (rows, width).
        arrays: of the batch: ``pair_lengths`` and ``mention_kinds``.

    Returns:
        By row what was emitted: (which mention, which label, probability of both).
    """
    memory, mentions, start = (outputs[name] for name in POINTER_OUTPUTS)
    inside = np.arange(memory.shape[1]) < arrays["pair_lengths"][:, None]
    free = arrays["mention_kinds"] > 0
    rows = np.arange(len(memory))
    state = State(np.tanh(start), np.zeros_like(start))
    given = np.concatenate([start, np.broadcast_to(decoder.role_vectors[-1], start.shape)], axis=1)
    running = np.ones(len(memory), bool)
    found: list[list[tuple[int, int, float]]] = [[] for _ in rows]
    for _ in range(mentions.shape[1]):
        state, mixed = step(decoder, state, given, memory, inside)
        shares = softmax(pointer_scores(decoder, mixed, mentions, free))
        chosen = shares.argmax(axis=1)
        running &= chosen < mentions.shape[1]
        if not running.any():
            break
        chosen = np.where(running, chosen, 0)
        target = mentions[rows, chosen]
        roles = softmax(role_scores(decoder, mixed, target))
        labels = roles.argmax(axis=1)
        for row in np.flatnonzero(running).tolist():
            score = shares[row, chosen[row]] * roles[row, labels[row]]
            found[row].append((int(chosen[row]), int(labels[row]), float(score)))
            free[row, chosen[row]] = False
        given = np.concatenate([target, decoder.role_vectors[labels]], axis=1)
    return found


def step(
    decoder: Pointing, state: State, given: Floats, memory: Floats, inside: NDArray[np.bool_]
) -> tuple[State, Floats]:
    """One step: the new state, and what it and the words it looks at say, (rows, width).

    Args:
        decoder: the weights.
        state: after the step before.
        given: (rows, 2 x width), the mention and the label that were emitted last.
        memory: (rows, places, width), what the words of a head's sentences say.
        inside: (rows, places), where a word stands.
    """
    gates = given @ decoder.input + state.hidden @ decoder.recurrent + decoder.bias
    enter, forget, write, leave = np.split(gates, 4, axis=1)
    cell = _sigmoid(forget) * state.cell + _sigmoid(enter) * np.tanh(write)
    hidden = _sigmoid(leave) * np.tanh(cell)
    looks = np.einsum("rpw,rw->rp", memory, hidden @ decoder.query)
    weights = softmax(np.where(inside, looks, _FAR))
    context = np.einsum("rp,rpw->rw", weights, memory)
    mixed = np.tanh(np.concatenate([hidden, context], axis=1) @ decoder.mix + decoder.mix_bias)
    return State(hidden, cell), mixed


def pointer_scores(decoder: Pointing, mixed: Floats, mentions: Floats, free: NDArray[np.bool_]) -> Floats:
    """Scores of each mention, and last of stopping: (rows, mentions + 1)."""
    scores = np.where(free, np.einsum("rmw,rw->rm", mentions, mixed), _FAR)
    return np.concatenate([scores, (mixed @ decoder.stop)[:, None]], axis=1)


def role_scores(decoder: Pointing, mixed: Floats, target: Floats) -> Floats:
    """Scores of the labels of a mention that was pointed to: (rows, labels)."""
    scores: Floats = np.concatenate([mixed * target, target], axis=1) @ decoder.roles + decoder.roles_bias
    return scores


def softmax(scores: Floats) -> Floats:
    """Shares along the last axis."""
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    total: Floats = shares / shares.sum(axis=-1, keepdims=True)
    return total


def _sigmoid(values: Floats) -> Floats:
    result: Floats = np.float32(0.5) * (np.tanh(np.float32(0.5) * values) + np.float32(1.0))
    return result

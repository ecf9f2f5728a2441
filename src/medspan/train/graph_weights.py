"""The weights of a model, read back from its graphs: one without ``model.safetensors`` starts another too.

Our graphs hold every weight under a name of its own (`medspan.train.graph`): this is the way back. A graph
keeps weights rounded, and the rounded ones are the model that was proved and scored, so nothing is lost.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.numpy import load as load_tensors

from medspan.errors import ModelError
from medspan.model.onnx_scan import has_external_data

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from medspan.model.spec import EncoderKind
    from medspan.model.store import StoredModel

    Arrays = dict[str, NDArray[np.float32]]

PROJECT = "encoder.features.project.weight"
_GATES = [0, 2, 3, 1]  # ONNX keeps i o f c, torch i f g o
_CONSTANT = re.compile(r"constant_\d+")
_LSTM = re.compile(r"(forward|backward)\.(\d+)\.(input|recurrent|bias)")
_HEAD = re.compile(r"(.+)\.emit\.(weight|bias)")
_GROUP = re.compile(r"groups\..+\.(?:down|up)\.(weight|bias)")
_FILTERS = re.compile(r"filters\.(\d+)(\.bias)?")
_LAYER = re.compile(r"layers\.(\d+)(\.weight|\.bias)?")
_PARTS = {"input": "weight_ih_l0", "recurrent": "weight_hh_l0"}


def graph_tensors(model: StoredModel) -> dict[str, Tensor]:
    """The tensors of the network a model was exported from, by the names the network has them under.

    Args:
        model: an opened model folder whose encoder is over words or characters.

    Returns:
        Single precision; heads that were trained and not exported are absent.

    Raises:
        ModelError: if the encoder is a transformer, or a graph is not one of ours.
    """
    if model.spec.encoder.kind == "transformer":
        raise ModelError(
            f"{model.path}: has no model.safetensors to start from; train it with export.keep_weights = true"
        )
    found: Arrays = {}
    for name in ("forms.onnx", "model.onnx"):
        if name in model.spec.files:
            found |= _arrays(model.read(name), f"{model.path / name}")
    tensors: Arrays = {}
    for name, array in found.items():
        tensors |= _named(name, array, model.spec.encoder.kind, str(model.path))
    for name, array in load_tensors(model.read("decoder.safetensors")).items():
        head, _, part = name.rpartition(".")
        tensors[f"heads.{head}.crf.{part}"] = array
    return {name: torch.from_numpy(np.array(array, np.float32)) for name, array in tensors.items()}


def widened(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same network with a first layer that reads all word features, as before `medspan.train.compress`.

    ``B @ A`` (outputs, width) takes the place of ``B`` (outputs, rank) and ``A`` (rank, width); the states
    stay what they were.
    """
    projection = tensors[PROJECT]  # (rank, width)
    rank = len(projection)
    joined = {name: tensor for name, tensor in tensors.items() if name != PROJECT}
    for way in ("forward", "backward"):
        name = f"encoder.directions.{way}_layers.0.weight_ih_l0"
        if name in joined:
            joined[name] = joined[name] @ projection
    first = "encoder.layers.0.weight"
    if first in joined:  # a window: one block of columns a place
        wide = joined[first].reshape(-1, rank) @ projection
        joined[first] = wide.reshape(len(joined[first]), -1)
    return joined


def _arrays(graph: bytes, where: str) -> Arrays:
    """Weights by name, in single precision; bytes and scales of a table become the table."""
    try:
        if has_external_data(graph):
            raise ModelError(f"{where}: keeps tensors in other files; it is not safe to open")
        parsed = onnx.load_model_from_string(graph)
    except ValueError as error:
        raise ModelError(f"{where}: is no ONNX graph ({error}); install or export the model again") from None
    raw = {tensor.name: tensor for tensor in parsed.graph.initializer}
    found: Arrays = {}
    for name, tensor in raw.items():
        if _CONSTANT.fullmatch(name) or name.endswith(".scales"):
            continue
        array = numpy_helper.to_array(tensor).astype(np.float32)
        if name.endswith(".bytes"):
            scales = raw.get(f"{name.removesuffix('.bytes')}.scales")
            if scales is None:
                raise ModelError(f"{where}: the table {name!r} has no scales; export the model again")
            array = array * numpy_helper.to_array(scales).astype(np.float32)
        found[name.removesuffix(".bytes").removesuffix(".half")] = array
    return found


def _named(name: str, array: NDArray[np.float32], kind: EncoderKind, where: str) -> Arrays:
    """A weight of a graph under the names and in the layout the network has it; an LSTM's bias is two."""
    if match := _LSTM.fullmatch(name):
        return _lstm_part(f"encoder.directions.{match[1]}_layers.{match[2]}", match[3], array)
    if match := _HEAD.fullmatch(name):
        return {f"heads.{name}": array.T if match[2] == "weight" else array}
    if match := _GROUP.fullmatch(name):
        return {name: array.T if match[1] == "weight" else array}
    own = (_names_over_characters if kind == "char_blstm" else _names_over_words)(name, array)
    if own is None:
        raise ModelError(f"{where}: a graph holds {name!r}, which no encoder of the kind {kind!r} has")
    return own


def _names_over_words(name: str, array: NDArray[np.float32]) -> Arrays | None:
    """What word features and the layers above them, other than LSTMs, are called."""
    if name in ("words", "chars", "case"):
        return {f"encoder.features.{name}.weight": array}
    if name == "project":
        return {PROJECT: array.T}
    if match := _FILTERS.fullmatch(name):
        return {f"encoder.features.filters.{match[1]}{match[2] or '.weight'}": array}
    if name in ("enter.weight", "enter.bias"):
        return {f"encoder.{name}": array.T if array.ndim > 1 else array}
    if match := _LAYER.fullmatch(name):
        # A linear layer stands as `layers.0.weight`, turned; a convolution as `layers.0`, as it is.
        is_turned = match[2] == ".weight"
        return {f"encoder.layers.{match[1]}{match[2] or '.weight'}": array.T if is_turned else array}
    return None


def _names_over_characters(name: str, array: NDArray[np.float32]) -> Arrays | None:
    return {"encoder.chars.weight": array} if name == "chars" else None


def _lstm_part(layer: str, part: str, array: NDArray[np.float32]) -> Arrays:
    """A part of an LSTM: gates in torch's order, and the two biases ONNX keeps in a row apart."""
    if part == "bias":  # (1, 8 x hidden): those of the input, then those of the state
        return {
            f"{layer}.{name}": _in_order(half[:, None])[:, 0]
            for name, half in zip(("bias_ih_l0", "bias_hh_l0"), np.split(array[0], 2), strict=True)
        }
    return {f"{layer}.{_PARTS[part]}": _in_order(array[0])}


def _in_order(gates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of four gates, (4 x hidden, columns), from ONNX's order to torch's."""
    return gates.reshape(4, -1, gates.shape[1])[_GATES].reshape(gates.shape)

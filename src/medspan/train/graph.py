"""Builds an ONNX graph node by node.

Exporters can silently fix a dimension or rename an output; our networks have few layers, so each encoder and
head writes its own nodes and the proof in export.py compares them with torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from medspan.train.quantize import is_large, quantize_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

OPSET = 17
_SMALLEST_HALVED = 256
_AXES: dict[str, tuple[str, ...]] = {
    "word_ids": ("forms",),
    "char_ids": ("forms", "chars"),
    "case_ids": ("forms",),
    "word_states": ("batch", "words"),
    "lengths": ("batch",),
    "text_ids": ("batch", "characters"),
    "word_first": ("batch", "words"),
    "word_stop": ("batch", "words"),
    "text_lengths": ("batch",),
    "piece_ids": ("windows", "pieces"),
    "spot_first": ("windows", "spots"),
    "spot_stop": ("windows", "spots"),
    "word_spot": ("batch", "words"),
    "pair_words": ("pairs", "places"),
    "pair_lengths": ("pairs",),
    "segments": ("pairs", "places"),
    "mention_labels": ("pairs", "places"),
    "head_place": ("pairs", "places"),
    "tail_place": ("pairs", "places"),
    "mention_first": ("pairs", "mentions"),
    "mention_last": ("pairs", "mentions"),
    "mention_kinds": ("pairs", "mentions"),
}


class Graph:
    """A graph under construction.

    Args:
        inputs: names of the arrays the graph takes (see features/batch.py).
        half: store large weights as float16 and widen them when the session loads.
        width: of ``word_states``, where that is an input.
    """

    def __init__(self, inputs: Sequence[str], *, half: bool, width: int = 0) -> None:
        self.inputs = tuple(inputs)
        self.width = width
        self.half = half
        self.in_bytes = False
        """Whether matrices are kept in eight bits, `quantize_rows` of the tensors they are made of."""
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._known: dict[str, str] = {}
        self._outputs: list[onnx.ValueInfoProto] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX attributes
        """Add a node with one output and return the output's name."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        """A small constant of any shape, shared where the same was asked before; the name of its value."""
        key = f"{values.dtype}{values.shape}{values.tobytes()!r}"
        if key not in self._known:
            name = f"constant_{len(self._weights)}"
            self._weights.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
            self._known[key] = name
        return self._known[key]

    def ints(self, *values: int) -> str:
        """A constant int64 vector."""
        return self.constant(np.array(values, np.int64))

    def weight(self, name: str, tensor: Tensor | NDArray[Any]) -> str:
        """A trained tensor of any shape, halved on disk where that is worth a node; the name of its value."""
        array = tensor if isinstance(tensor, np.ndarray) else tensor.detach().cpu().numpy()
        array = np.ascontiguousarray(array, np.float32)
        if not self.half or array.size < _SMALLEST_HALVED:
            self._weights.append(numpy_helper.from_array(array, name))
            return name
        self._weights.append(numpy_helper.from_array(array.astype(np.float16), f"{name}.half"))
        return self.node("Cast", f"{name}.half", to=TensorProto.FLOAT)

    def matrix(self, name: str, tensor: Tensor) -> str:
        """A trained matrix (outputs, inputs), turned for states to be multiplied with: (inputs, outputs)."""
        if self.in_bytes and is_large(tensor):
            return self._bytes(name, tensor, turn=True)
        return self.weight(name, tensor.t())

    def _bytes(self, name: str, tensor: Tensor, *, turn: bool) -> str:
        """Rows of a matrix as whole numbers times a scale each; turned afterwards where asked."""
        parts = (part.t() if turn else part for part in quantize_rows(tensor.detach().cpu().float()))
        names = [f"{name}.bytes", f"{name}.scales"]
        for part, array in zip(names, parts, strict=True):
            self._weights.append(numpy_helper.from_array(np.ascontiguousarray(array.numpy()), part))
        whole, scales = (self.node("Cast", part, to=TensorProto.FLOAT) for part in names)
        return self.node("Mul", whole, scales)

    def rows(self, name: str, tensor: Tensor) -> str:
        """A trained matrix (rows, width) as it stands, in eight bits by row where they are kept so."""
        if self.in_bytes and is_large(tensor):
            return self._bytes(name, tensor, turn=False)
        return self.weight(name, tensor)

    def linear(self, name: str, layer: nn.Linear, states: str) -> str:
        """``states @ weight.T + bias`` on the last axis."""
        product = self.node("MatMul", states, self.matrix(f"{name}.weight", layer.weight))
        if layer.bias is None:
            return product
        return self.node("Add", product, self.weight(f"{name}.bias", layer.bias))

    def lookup(self, name: str, table: nn.Embedding, ids: str) -> str:
        """Rows of an embedding table."""
        if self.in_bytes and is_large(table.weight):
            return self.byte_lookup(name, table, ids)
        return self.node("Gather", self.weight(name, table.weight), ids, axis=0)

    def byte_lookup(self, name: str, table: nn.Embedding, ids: str) -> str:
        """Rows of an embedding table that is kept in eight bits (`medspan.train.quantize`)."""
        whole, scales = quantize_rows(table.weight.detach().cpu())
        self._weights.append(numpy_helper.from_array(whole.numpy(), f"{name}.bytes"))
        self._weights.append(numpy_helper.from_array(scales.numpy(), f"{name}.scales"))
        rows, sizes = (
            self.node("Cast", self.node("Gather", f"{name}.{part}", ids, axis=0), to=TensorProto.FLOAT)
            for part in ("bytes", "scales")
        )
        return self.node("Mul", rows, sizes)

    def lstm(self, name: str, layer: nn.LSTM, states: str, *, lengths: str, reverse: bool) -> str:
        """One direction of an LSTM, as nodes: (words, batch, hidden), zeros where padded.

        Args:
            name: begin of the names of its weights.
            layer: of one direction and one layer.
            states: name of its input, (words, batch, width).
            lengths: name of the words of each row, int64 (batch,).
            reverse: whether it reads from the last word to the first.
        """
        order = [0, 3, 1, 2]  # torch keeps i f g o, ONNX i o f c
        width = layer.hidden_size

        def reordered(part: str) -> NDArray[Any]:
            blocks = layer.get_parameter(f"{part}_l0").detach().cpu().numpy().reshape(4, width, -1)[order]
            return np.ascontiguousarray(blocks.reshape(1, 4 * width, -1))

        bias = np.concatenate([reordered("bias_ih"), reordered("bias_hh")], axis=1)[:, :, 0]
        lengths32 = self.node("Cast", lengths, to=TensorProto.INT32)
        output = self.node(
            "LSTM",
            states,
            self.weight(f"{name}.input", reordered("weight_ih")),
            self.weight(f"{name}.recurrent", reordered("weight_hh")),
            self.weight(f"{name}.bias", bias),
            lengths32,
            hidden_size=width,
            direction="reverse" if reverse else "forward",
        )
        return self.node("Squeeze", output, self.ints(1))

    def output(self, name: str, source: str, axes: Sequence[str | int]) -> None:
        """Name an output and its axes."""
        self._nodes.append(helper.make_node("Identity", [source], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(axes)))

    def _input(self, name: str) -> onnx.ValueInfoProto:
        if name == "word_states":
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [*_AXES[name], self.width])
        return helper.make_tensor_value_info(name, TensorProto.INT64, list(_AXES[name]))

    def build(self) -> bytes:
        """The checked model."""
        inputs = [self._input(name) for name in self.inputs]
        graph = helper.make_graph(self._nodes, "medspan", inputs, self._outputs, self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
        return data

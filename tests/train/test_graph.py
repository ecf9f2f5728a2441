"""The graph builder: every block equals torch, names and axes are what was asked for."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import nn

from medspan.features.batch import FORM_INPUTS, STATE_INPUTS, TEXT_INPUTS
from medspan.train.encoders.mask import mask_to_graph, mask_words, place_to_graph, word_mask
from medspan.train.graph import Graph

CLOSE = 1e-5
LENGTHS = np.array([7, 1, 4], np.int64)


def run(graph: Graph, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(graph.build(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, arrays), strict=True))


def states_of(graph: Graph, array: np.ndarray) -> str:
    """Some float32 states inside a graph (its inputs are ids only)."""
    return graph.weight("states", array)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("width", "hidden"), [(3, 2), (5, 9), (24, 16)])
def test_lstm_equals_torch_on_ragged_rows(*, width: int, hidden: int, reverse: bool, half: bool) -> None:
    torch.manual_seed(width)
    layer = nn.LSTM(width, hidden).eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_().copy_(parameter.half().float())
    states = torch.randn(7, 3, width)
    graph = Graph(["lengths"], half=False)
    source = states_of(graph, states.numpy())
    graph.half = half
    graph.output("out", graph.lstm("l", layer, source, lengths="lengths", reverse=reverse), (7, 3, hidden))
    found = run(graph, lengths=LENGTHS)["out"]
    for row, length in enumerate(LENGTHS.tolist()):
        own = states[:length, row : row + 1]
        with torch.inference_mode():
            wanted = layer(own.flip(0))[0].flip(0) if reverse else layer(own)[0]
        np.testing.assert_allclose(found[:length, row], wanted[:, 0], atol=CLOSE)
        assert (found[length:, row] == 0).all()


@pytest.mark.parametrize("half", [False, True])
def test_linear_and_lookup_equal_torch(*, half: bool) -> None:
    torch.manual_seed(1)
    table, layer = nn.Embedding(40, 8), nn.Linear(8, 50)
    with torch.no_grad():
        for parameter in (*table.parameters(), *layer.parameters()):
            parameter.copy_(parameter.half().float())
    graph = Graph(["word_first"], half=half)
    looked = graph.lookup("table", table, "word_first")
    graph.output("looked", looked, ("batch", "words", 8))
    graph.output("out", graph.linear("layer", layer, looked), ("batch", "words", 50))
    ids = np.arange(12, dtype=np.int64).reshape(3, 4) * 3
    found = run(graph, word_first=ids)
    with torch.inference_mode():
        np.testing.assert_array_equal(found["looked"], table(torch.from_numpy(ids)))
        np.testing.assert_allclose(found["out"], layer(table(torch.from_numpy(ids))), atol=CLOSE)


def test_half_stores_large_weights_as_float16_and_small_ones_whole() -> None:
    graph = Graph(["lengths"], half=True)
    large, small = graph.weight("large", np.ones((16, 16))), graph.weight("small", np.full(255, 0.1))
    total = graph.node("Add", graph.node("ReduceSum", large), graph.node("ReduceSum", small))
    graph.output("out", total, (1, 1))
    weights = {w.name: w for w in onnx.load_from_string(graph.build()).graph.initializer}
    assert weights["large.half"].data_type == TensorProto.FLOAT16
    assert weights["small"].data_type == TensorProto.FLOAT
    assert numpy_helper.to_array(weights["small"])[0] == np.float32(0.1)


def test_equal_constants_are_stored_once_and_different_ones_apart() -> None:
    graph = Graph(["lengths"], half=False)
    assert graph.ints(1, 2) == graph.ints(1, 2)
    assert len({graph.ints(1), graph.ints(2), graph.ints(1, 1)}) == 3
    assert graph.constant(np.zeros(1, np.int64)) != graph.constant(np.zeros(1, np.float64))
    assert graph.constant(np.array(1, np.int64)) != graph.ints(1)  # a number and a vector of one


def test_states_of_words_are_floats_of_one_width() -> None:
    graph = Graph(STATE_INPUTS, half=False, width=7)
    graph.output("emissions.x", graph.node("Identity", "word_states"), ("batch", "words", 7))
    node = onnx.load_from_string(graph.build()).graph.input[0]
    assert node.type.tensor_type.elem_type == TensorProto.FLOAT
    assert [axis.dim_param or axis.dim_value for axis in node.type.tensor_type.shape.dim] == [
        "batch",
        "words",
        7,
    ]


@pytest.mark.parametrize("inputs", [(*FORM_INPUTS, "lengths"), TEXT_INPUTS])
def test_inputs_are_int64_with_symbolic_axes(inputs: tuple[str, ...]) -> None:
    graph = Graph(inputs, half=False)
    place = graph.node("Cast", graph.node("Unsqueeze", "lengths", graph.ints(1, 2)), to=TensorProto.FLOAT)
    graph.output("emissions.x", place, ("batch", 1, 1))
    model = onnx.load_from_string(graph.build())
    assert tuple(node.name for node in model.graph.input) == inputs
    for node in model.graph.input:
        assert node.type.tensor_type.elem_type == TensorProto.INT64
        assert all(axis.dim_param for axis in node.type.tensor_type.shape.dim)
    session = onnxruntime.InferenceSession(graph.build(), providers=["CPUExecutionProvider"])
    assert {node.name for node in session.get_inputs()} == set(inputs)  # unused ones are kept


def test_the_same_nodes_give_the_same_bytes() -> None:
    def build() -> bytes:
        graph = Graph(["lengths"], half=True)
        layer = nn.Linear(20, 20)
        with torch.no_grad():
            layer.weight.fill_(0.5)
            layer.bias.fill_(0.25)
        graph.output("out", graph.linear("l", layer, states_of(graph, np.ones((2, 3, 20)))), (2, 3, 20))
        return graph.build()

    assert build() == build()


@pytest.mark.parametrize(
    ("kind", "attributes"), [("Frobnicate", {}), ("Transpose", {"perm": "no"}), ("Concat", {})]
)
def test_a_node_that_is_no_onnx_is_refused_when_built(kind: str, attributes: dict[str, object]) -> None:
    graph = Graph(["lengths"], half=False)
    graph.output("out", graph.node(kind, "lengths", **attributes), ("batch",))
    with pytest.raises((onnx.checker.ValidationError, onnx.shape_inference.InferenceError)):
        graph.build()


def test_mask_equals_torch() -> None:
    torch.manual_seed(2)
    states = torch.randn(3, 7, 2)
    graph = Graph(["lengths"], half=False)
    source = states_of(graph, states.numpy())
    inside = mask_to_graph(graph, source, "lengths")
    graph.output("inside", inside, ("batch", "words", 1))
    graph.output("masked", graph.node("Mul", source, inside), ("batch", "words", 2))
    places = graph.node("Cast", place_to_graph(graph, source, axis=2), to=TensorProto.FLOAT)
    graph.output("places", places, ("width",))
    found = run(graph, lengths=LENGTHS)
    lengths = torch.from_numpy(LENGTHS)
    np.testing.assert_array_equal(found["inside"], word_mask(lengths, 7).float())
    np.testing.assert_array_equal(found["masked"], mask_words(states, lengths))
    assert found["places"].tolist() == [0, 1]
    assert found["inside"].sum(1)[:, 0].tolist() == LENGTHS.tolist()

"""The ONNX session: what it computes, and every graph it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from medspan.errors import ModelError, UsageError
from medspan.model import session
from medspan.model.onnx_scan import has_external_data
from medspan.model.session import OnnxScorer, available_cores
from medspan.model.spec import ModelSpec

if TYPE_CHECKING:
    from pathlib import Path

SpecOf = Callable[..., ModelSpec]
GraphOf = Callable[..., onnx.ModelProto]
TABLE = np.arange(20, dtype=np.float32).reshape(4, 5)


def batch(form_index: list[list[int]]) -> dict[str, np.ndarray]:
    index = np.array(form_index)
    return {
        "word_ids": np.array([0, 2, 3]),
        "form_index": index,
        "lengths": np.full(len(index), index.shape[1]),
    }


@pytest.mark.parametrize("index", [[[1]], [[0, 1, 2, 1, 0]], [[0, 1], [2, 0], [1, 1]], [[1] * 700]])
@pytest.mark.parametrize("threads", [None, 1, 3])
def test_scores_any_shape(
    spec_of: SpecOf, graph_of: GraphOf, index: list[list[int]], threads: int | None
) -> None:
    scorer = OnnxScorer(graph_of(TABLE).SerializeToString(), spec_of(), device="cpu", threads=threads)
    arrays = batch(index) | {"case_ids": np.zeros(3, np.int64)}  # more than the graph takes
    scores = scorer.score(arrays)
    assert list(scores) == ["disease"]
    assert scores["disease"].dtype == np.float32
    assert np.array_equal(scores["disease"], TABLE[arrays["word_ids"][arrays["form_index"]]])
    assert scorer.device == "cpu"


def test_narrow_and_strided_arrays_are_taken(spec_of: SpecOf, graph_of: GraphOf) -> None:
    scorer = OnnxScorer(graph_of(TABLE).SerializeToString(), spec_of(), device="cpu")
    arrays = batch([[0, 1, 2], [2, 1, 0]])
    odd = {name: np.asfortranarray(array.astype(np.int32)) for name, array in arrays.items()}
    assert np.array_equal(scorer.score(odd)["disease"], scorer.score(arrays)["disease"])


def test_missing_array_and_impossible_ids_are_named(spec_of: SpecOf, graph_of: GraphOf) -> None:
    scorer = OnnxScorer(graph_of(TABLE).SerializeToString(), spec_of(), device="cpu")
    with pytest.raises(ModelError, match="lacks the arrays word_ids, lengths"):
        scorer.score({"form_index": np.zeros((1, 1), np.int64)})
    with pytest.raises(ModelError, match=r"cannot run on word_ids \(3,\), form_index \(1, 1\)"):
        scorer.score(batch([[9]]))


WIDE = {"word_ids": ["forms"], "form_index": ["batch", "words"], "lengths": ["batch"]}


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ({"inputs": WIDE | {"form_index": [1, "words"]}}, "input form_index has shape .* fixed axis"),
        ({"inputs": WIDE | {"form_index": ["batch", 40]}}, "input form_index has shape .* fixed axis"),
        ({"inputs": WIDE | {"word_ids": [3]}}, "input word_ids has shape .* fixed axis"),
        ({"inputs": WIDE | {"lengths": [2]}}, "input lengths has shape .* fixed axis"),
        ({"axes": (1, "words", 5)}, "output emissions.disease has shape .* fixed axis"),
        ({"axes": ("batch", 7, 5)}, "output emissions.disease has shape .* fixed axis"),
        ({"inputs": WIDE | {"extra": ["batch"]}}, "inputs are extra, form_index"),
        ({"inputs": {"word_ids": ["forms"], "form_index": ["batch", "words"]}}, "config.json asks for"),
        ({"output": "logits"}, "outputs are logits, but config.json asks for emissions.disease"),
        ({"table": np.zeros((4, 9), np.float32)}, r"config.json needs \(batch, words, 5\)"),
        ({"input_type": TensorProto.INT32}, r"is tensor\(int32\); it must be tensor\(int64\)"),
    ],
)
def test_graph_that_does_not_fit_is_refused(
    spec_of: SpecOf, graph_of: GraphOf, graph: dict, message: str
) -> None:
    model = graph_of(**{"table": TABLE, **graph}).SerializeToString()
    with pytest.raises(ModelError, match=rf"model.onnx: .*{message}"):
        OnnxScorer(model, spec_of(), device="cpu")


@pytest.mark.parametrize("data", [b"", b"not a graph", b"\xff" * 40, b"\x08\x09"])
def test_damaged_graph_is_refused(spec_of: SpecOf, data: bytes) -> None:
    with pytest.raises(ModelError, match=r"model.onnx: .*export the model again"):
        OnnxScorer(data, spec_of(), device="cpu")


def external(tensor: onnx.TensorProto) -> onnx.TensorProto:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def hide_in_initializer(model: onnx.ModelProto) -> None:
    external(model.graph.initializer[0])


def hide_in_attribute(model: onnx.ModelProto) -> None:
    tensor = external(numpy_helper.from_array(np.zeros(2, np.float32)))
    model.graph.node.append(helper.make_node("Constant", [], ["hidden"], value=tensor))


def hide_in_branch(model: onnx.ModelProto) -> None:
    tensor = external(numpy_helper.from_array(np.zeros(2, np.float32), "w"))
    branch = helper.make_graph([], "branch", [], [], [tensor])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))


def hide_in_sparse(model: onnx.ModelProto) -> None:
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(external(numpy_helper.from_array(np.zeros(2, np.float32), "w")))


def hide_in_function(model: onnx.ModelProto) -> None:
    tensor = external(numpy_helper.from_array(np.zeros(2, np.float32)))
    node = helper.make_node("Constant", [], ["z"], value=tensor)
    model.functions.append(helper.make_function("own", "f", [], ["z"], [node], [helper.make_opsetid("", 17)]))


@pytest.mark.parametrize(
    "hide", [hide_in_initializer, hide_in_attribute, hide_in_branch, hide_in_sparse, hide_in_function]
)
def test_weights_in_other_files_are_refused(
    spec_of: SpecOf, graph_of: GraphOf, hide: Callable[[onnx.ModelProto], None]
) -> None:
    model = graph_of(TABLE)
    assert not has_external_data(model.SerializeToString())
    hide(model)
    with pytest.raises(ModelError, match="keeps weights in other files"):
        OnnxScorer(model.SerializeToString(), spec_of(), device="cpu")


@given(st.binary(max_size=200))
def test_scan_of_any_bytes_ends(data: bytes) -> None:
    try:
        assert has_external_data(data) in (True, False)
    except ValueError as error:
        assert "byte" in str(error) or "field" in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_cut_graph_is_refused(spec_of: SpecOf, graph_of: GraphOf, cut: int) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx: "):
        OnnxScorer(graph_of(TABLE).SerializeToString()[:-cut], spec_of(), device="cpu")


def test_device_is_never_changed_silently(
    spec_of: SpecOf, graph_of: GraphOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = graph_of(TABLE).SerializeToString()
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UsageError, match="has no CUDA; install onnxruntime-gpu"):
        OnnxScorer(model, spec_of(), device="cuda")
    with pytest.raises(UsageError, match="unknown device 'gpu'; known: auto, cpu, cuda"):
        OnnxScorer(model, spec_of(), device="gpu")  # type: ignore[arg-type]
    assert OnnxScorer(model, spec_of(), device="auto").device == "cpu"


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_must_be_positive(spec_of: SpecOf, graph_of: GraphOf, threads: int) -> None:
    with pytest.raises(UsageError, match="give a number from 1"):
        OnnxScorer(graph_of(TABLE).SerializeToString(), spec_of(), device="cpu", threads=threads)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max 100000", 8),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("9900000 100000", 8),
        ("", 8),
        ("x y", 8),
        ("5 0", 8),
    ],
)
def test_cores_follow_the_quota_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, expected: int
) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    monkeypatch.setattr(session, "_CGROUP_LIMIT", tmp_path / "cpu.max")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert available_cores() == expected


def test_cores_without_cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_CGROUP_LIMIT", tmp_path / "none")
    assert available_cores() >= 1


def test_a_loaded_model_tells_nobody(tmp_path: Path):
    """onnxruntime would make an id of this machine and a list of events to send, in the user's folders."""
    code = "import medspan, time; medspan.load('deid', threads=1)('asthma'); time.sleep(0.5)"
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], env={**environment, **home}, check=True)
    assert list(tmp_path.rglob("*")) == []

"""A tiny model, written by hand: emissions are looked up by word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from medspan.model.spec import CorpusSpec, EncoderSpec, HeadSpec, ModelSpec, Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DIGEST = "0" * 64


def build_spec(**changes: object) -> ModelSpec:
    fields = {
        "name": "tiny",
        "language": "en",
        "encoder": EncoderSpec("window", {"max_chars": 8, "dropout": 0.5, "char_windows": (2, 3)}),
        "heads": (HeadSpec("disease", ("Disease",), corpora=("invented",)),),
        "tokenizer": "words-1",
        "inputs": ("word_ids", "form_index", "lengths"),
        "provenance": Provenance(
            "0.1.0",
            "2.6.0",
            13,
            "2025-01-01",
            "medspan train tiny.toml",
            DIGEST,
            (CorpusSpec("invented", "CC0-1.0", {"train": DIGEST}),),
        ),
        "licence": "Apache-2.0",
    }
    return ModelSpec(**{**fields, **changes})


def build_graph(
    table: np.ndarray,
    *,
    inputs: dict[str, Sequence[str | int]] | None = None,
    output: str = "emissions.disease",
    axes: Sequence[str | int] | None = None,
    input_type: int = TensorProto.INT64,
) -> onnx.ModelProto:
    """emissions[b, w] = table[word_ids[form_index[b, w]]]; table float32 (ids, tags)."""
    shapes = inputs or {"word_ids": ["forms"], "form_index": ["batch", "words"], "lengths": ["batch"]}
    nodes = [
        helper.make_node("Gather", ["word_ids", "form_index"], ["ids"], axis=0),
        helper.make_node("Gather", ["table", "ids"], [output], axis=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, input_type, list(shape)) for name, shape in shapes.items()],
        [
            helper.make_tensor_value_info(
                output, TensorProto.FLOAT, list(axes or ("batch", "words", table.shape[1]))
            )
        ],
        [numpy_helper.from_array(table.astype(np.float32), "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture
def spec_of() -> Callable[..., ModelSpec]:
    return build_spec


@pytest.fixture
def graph_of() -> Callable[..., onnx.ModelProto]:
    return build_graph

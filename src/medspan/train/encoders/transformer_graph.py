"""The forward pass of public transformers as ONNX nodes, family by family.

Written by hand as that of the other encoders: exporters can silently fix a dimension. Tests and the proof of
every export compare the nodes with the classes of transformers.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from medspan.train.encoders.mask import place_to_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from medspan.train.encoders.transformer import TransformerEncoder
    from medspan.train.graph import Graph

IDS = "piece_ids"
_FLOAT = 1
_HIDDEN = -1e9
"""Added to a score that must not count: its exponential is zero."""
_FURTHEST = 128
"""Distance from which on MPNet tells no more apart."""


def states_to_graph(graph: Graph, encoder: TransformerEncoder) -> list[str]:
    """States of pieces, (windows, pieces, width), one name a layer."""
    return _FAMILIES[encoder.family](graph, encoder, encoder.model)


def _bert(graph: Graph, encoder: TransformerEncoder, model: Any) -> list[str]:  # noqa: ANN401 - of transformers
    """BERT, RoBERTa, ELECTRA: positions are added to the pieces; norms stand behind the sums."""
    parts = model.embeddings
    offset = encoder.pieces.layout.padding + 1 if encoder.family == "roberta" else 0
    states = graph.node(
        "Add", _positions(graph, parts, offset), graph.lookup("words", parts.word_embeddings, IDS)
    )
    kind = graph.weight("kinds", parts.token_type_embeddings.weight[0])
    states = _norm(graph, "embeddings", parts.LayerNorm, graph.node("Add", states, kind))
    if hasattr(model, "embeddings_project"):
        states = graph.linear("project", model.embeddings_project, states)
    bias = _padding_bias(graph, encoder)
    levels = []
    for i, layer in enumerate(model.encoder.layer):
        inner = layer.attention.self
        projections = _Projections((inner.query, inner.key, inner.value), inner.num_attention_heads)
        found = _attention(graph, f"{i}", projections, states=states, bias=bias)
        out = layer.attention.output
        states = _norm(graph, f"{i}.a", out.LayerNorm, _sum(graph, f"{i}.o", out.dense, found, states))
        states = _wide(graph, f"{i}", layer, states, model.config.hidden_act)
        levels.append(states)
    return levels


def _mpnet(graph: Graph, encoder: TransformerEncoder, model: Any) -> list[str]:  # noqa: ANN401 - of transformers
    """MPNet: as BERT, with a bias by distance added to the scores of every layer."""
    parts = model.embeddings
    states = graph.node(
        "Add",
        _positions(graph, parts, encoder.pieces.layout.padding + 1),
        graph.lookup("words", parts.word_embeddings, IDS),
    )
    states = _norm(graph, "embeddings", parts.LayerNorm, states)
    bias = graph.node("Add", _padding_bias(graph, encoder), _distance_bias(graph, model.encoder))
    levels = []
    for i, layer in enumerate(model.encoder.layer):
        inner = layer.attention.attn
        projections = _Projections((inner.q, inner.k, inner.v), inner.num_attention_heads)
        found = _attention(graph, f"{i}", projections, states=states, bias=bias)
        summed = _sum(graph, f"{i}.o", inner.o, found, states)
        states = _norm(graph, f"{i}.a", layer.attention.LayerNorm, summed)
        states = _wide(graph, f"{i}", layer, states, model.config.hidden_act)
        levels.append(states)
    return levels


def _distance_bias(graph: Graph, encoder: Any) -> str:  # noqa: ANN401 - of transformers
    """(heads, pieces, pieces): what MPNet adds by how far pieces are apart."""
    distances = torch.arange(-_FURTHEST, _FURTHEST + 1)
    buckets = encoder.relative_position_bucket(distances).numpy()
    table = graph.node(
        "Gather", graph.weight("distances", encoder.relative_attention_bias.weight), graph.constant(buckets)
    )
    limits = [graph.constant(np.array(edge, np.int64)) for edge in (-_FURTHEST, _FURTHEST)]
    apart = graph.node("Add", graph.node("Clip", _apart(graph), *limits), limits[1])
    return graph.node("Transpose", graph.node("Gather", table, apart), perm=[2, 0, 1])


def _modernbert(graph: Graph, encoder: TransformerEncoder, model: Any) -> list[str]:  # noqa: ANN401 - of transformers
    """ModernBERT: rotary positions, norms before the sums, gated layers, most of which see nearby only."""
    config, parts = model.config, model.embeddings
    states = _norm(graph, "embeddings", parts.norm, graph.lookup("words", parts.tok_embeddings, IDS))
    far = _padding_bias(graph, encoder)
    is_near = graph.node(
        "LessOrEqual",
        graph.node("Abs", _apart(graph)),
        graph.constant(np.array(config.sliding_window, np.int64)),
    )
    hidden = graph.node("Where", is_near, *(graph.constant(np.array(v, np.float32)) for v in (0.0, _HIDDEN)))
    near = graph.node("Add", far, hidden)
    turns = {kind: _turns(graph, model.rotary_emb, kind) for kind in dict.fromkeys(config.layer_types)}
    levels = []
    for i, layer in enumerate(model.layers):
        kind = layer.attention_type
        read = (
            states
            if isinstance(layer.attn_norm, nn.Identity)
            else _norm(graph, f"{i}.a", layer.attn_norm, states)
        )
        found = _attention(
            graph,
            f"{i}",
            _Projections((layer.attn.Wqkv,), config.num_attention_heads),
            states=read,
            bias=near if kind == "sliding_attention" else far,
            turn=partial(_turned, graph, turns=turns[kind], width=layer.attn.head_dim),
        )
        states = _sum(graph, f"{i}.o", layer.attn.Wo, found, states)
        both = graph.linear(f"{i}.i", layer.mlp.Wi, _norm(graph, f"{i}.m", layer.mlp_norm, states))
        value, gate = _halves(graph, both, config.intermediate_size)
        gated = graph.node("Mul", _active(graph, value, config.hidden_activation), gate)
        states = _sum(graph, f"{i}.f", layer.mlp.Wo, gated, states)
        levels.append(states)
    levels[-1] = _norm(graph, "final", model.final_norm, states)
    return levels


def _turns(graph: Graph, rotary: Any, kind: str) -> tuple[str, str]:  # noqa: ANN401 - of transformers
    """Cosines and sines, (pieces, head width)."""
    steps = getattr(rotary, f"{kind}_inv_freq").detach().cpu().numpy()
    place = graph.node("Cast", place_to_graph(graph, IDS, axis=1), to=_FLOAT)
    angles = graph.node(
        "Mul", graph.node("Unsqueeze", place, graph.ints(1)), graph.constant(np.concatenate([steps, steps]))
    )
    return graph.node("Cos", angles), graph.node("Sin", angles)


def _turned(graph: Graph, states: str, *, turns: tuple[str, str], width: int) -> str:
    """Rotary positions (Su et al. 2021) of (windows, heads, pieces, head width)."""
    cos, sin = turns
    left, right = _halves(graph, states, width // 2)
    swapped = graph.node("Concat", graph.node("Neg", right), left, axis=-1)
    return graph.node("Add", graph.node("Mul", states, cos), graph.node("Mul", swapped, sin))


def _xlnet(graph: Graph, encoder: TransformerEncoder, model: Any) -> list[str]:  # noqa: ANN401 - of transformers
    """XLNet: scores of content, of distance and of segment (Dai et al. 2019, Yang et al. 2019)."""
    config = model.config
    heads, width = config.n_head, config.d_head
    states = graph.lookup("words", model.word_embedding, IDS)
    distances, is_other = _sinusoids(graph, config.d_model), _other_segment(graph, encoder)
    bias = _padding_bias(graph, encoder)
    scale = graph.constant(np.array(1 / math.sqrt(width), np.float32))

    def flat(name: str, tensor: Tensor) -> str:
        return graph.rows(name, tensor.reshape(config.d_model, heads * width))

    levels = []
    for i, layer in enumerate(model.layer):
        inner = layer.rel_attn
        project = {
            part: graph.node("MatMul", states, flat(f"{i}.{part}", getattr(inner, part)))
            for part in ("q", "k", "v")
        }
        query, key, value = (_split(graph, project[part], heads, width) for part in ("q", "k", "v"))
        far = graph.node("MatMul", distances, flat(f"{i}.r", inner.r))
        far = graph.node(
            "Transpose", graph.node("Reshape", far, graph.ints(-1, heads, width)), perm=[1, 2, 0]
        )
        w_bias, r_bias, s_bias = (
            graph.weight(f"{i}.{part}", getattr(inner, f"{part}_bias").reshape(heads, 1, width))
            for part in ("r_w", "r_r", "r_s")
        )
        key = graph.node("Transpose", key, perm=[0, 1, 3, 2])
        content = graph.node("MatMul", graph.node("Add", query, w_bias), key)
        place = _shifted(graph, graph.node("MatMul", graph.node("Add", query, r_bias), far))
        segments = graph.weight(f"{i}.segments", inner.seg_embed.permute(1, 2, 0))  # (heads, width, 2)
        kinds = graph.node("MatMul", graph.node("Add", query, s_bias), segments)
        same, other = _halves(graph, kinds, 1)
        kind = graph.node("Where", is_other, other, same)
        scores = graph.node("Mul", graph.node("Add", graph.node("Add", content, place), kind), scale)
        found = _weighted(graph, graph.node("Add", scores, bias), value, heads * width)
        out = graph.node("MatMul", found, graph.matrix(f"{i}.o", inner.o.reshape(config.d_model, -1)))
        states = _norm(graph, f"{i}.a", inner.layer_norm, graph.node("Add", out, states))
        wide = _active(graph, graph.linear(f"{i}.1", layer.ff.layer_1, states), config.ff_activation)
        states = _norm(
            graph, f"{i}.f", layer.ff.layer_norm, _sum(graph, f"{i}.2", layer.ff.layer_2, wide, states)
        )
        levels.append(states)
    return levels


def _sinusoids(graph: Graph, width: int) -> str:
    """(2 x pieces, width): sines and cosines of the distances pieces, pieces - 1, ... 1 - pieces."""
    steps = 1 / torch.pow(10000, torch.arange(0, width, 2.0) / width)
    count = graph.node("Squeeze", graph.node("Shape", IDS, start=1, end=2))
    place = graph.node("Range", count, graph.node("Neg", count), graph.constant(np.array(-1, np.int64)))
    angles = graph.node(
        "Mul",
        graph.node("Unsqueeze", graph.node("Cast", place, to=_FLOAT), graph.ints(1)),
        graph.constant(steps.numpy()),
    )
    return graph.node("Concat", graph.node("Sin", angles), graph.node("Cos", angles), axis=-1)


def _shifted(graph: Graph, scores: str) -> str:
    """(windows, heads, pieces, 2 x pieces) by distance → (windows, heads, pieces, pieces) by place."""
    count = graph.node("Shape", IDS, start=1, end=2)
    turned = graph.node("Reshape", scores, graph.node("Concat", graph.ints(0, 0, -1), count, axis=0))
    cut = graph.node("Slice", turned, graph.ints(1), graph.ints(np.iinfo(np.int64).max), graph.ints(2))
    back = graph.node("Reshape", cut, graph.node("Concat", graph.ints(0, 0), count, graph.ints(-1), axis=0))
    return graph.node("Slice", back, graph.ints(0), count, graph.ints(3))


def _other_segment(graph: Graph, encoder: TransformerEncoder) -> str:
    """Bool (windows, 1, pieces, pieces): whether two pieces stand in different segments."""
    layout = encoder.pieces.layout
    kinds = [
        graph.node("Cast", graph.node("Equal", IDS, graph.ints(piece)), to=_FLOAT)
        for piece in (layout.after[-1], layout.padding)
    ]
    twice = graph.node("Mul", kinds[1], graph.constant(np.array(2.0, np.float32)))
    kind = graph.node("Add", kinds[0], twice)
    rows, columns = (graph.node("Unsqueeze", kind, graph.ints(1, axis)) for axis in (3, 2))
    return graph.node("Not", graph.node("Equal", rows, columns))


def _positions(graph: Graph, parts: Any, offset: int) -> str:  # noqa: ANN401 - of transformers
    """(pieces, width): the vector of each place."""
    place = graph.node("Add", place_to_graph(graph, IDS, axis=1), graph.constant(np.array(offset, np.int64)))
    return graph.lookup("positions", parts.position_embeddings, place)


def _padding_bias(graph: Graph, encoder: TransformerEncoder) -> str:
    """(windows, 1, 1, pieces): what is added to the scores of padding."""
    is_padding = graph.node("Equal", IDS, graph.ints(encoder.pieces.layout.padding))
    bias = graph.node(
        "Mul", graph.node("Cast", is_padding, to=_FLOAT), graph.constant(np.array(_HIDDEN, np.float32))
    )
    return graph.node("Unsqueeze", bias, graph.ints(1, 2))


def _apart(graph: Graph) -> str:
    """(pieces, pieces): how far to the right of the first the second piece stands."""
    place = place_to_graph(graph, IDS, axis=1)
    rows, columns = (graph.node("Unsqueeze", place, graph.ints(axis)) for axis in (1, 0))
    return graph.node("Sub", columns, rows)


class _Projections(NamedTuple):
    """Queries, keys and values of a layer: one linear layer each, or one for all; and how many heads."""

    layers: Sequence[nn.Linear]
    heads: int


def _attention(
    graph: Graph,
    name: str,
    projections: _Projections,
    *,
    states: str,
    bias: str,
    turn: Callable[[str], str] | None = None,
) -> str:
    """What each piece takes from the others, (windows, pieces, width), before the output layer.

    Args:
        graph: the graph.
        name: of the layer.
        projections: queries, keys and values.
        states: (windows, pieces, width).
        bias: added to the scores.
        turn: gives queries and keys their positions.
    """
    layers, heads = projections
    weight = torch.cat([layer.weight for layer in layers])
    joined = graph.node("MatMul", states, graph.matrix(f"{name}.qkv", weight))
    if layers[0].bias is not None:
        both = torch.cat([layer.bias for layer in layers])
        joined = graph.node("Add", joined, graph.weight(f"{name}.qkv.bias", both))
    width = len(weight) // 3 // heads
    apart = graph.node("Reshape", joined, graph.ints(0, 0, 3, heads, width))
    apart = graph.node("Transpose", apart, perm=[2, 0, 3, 1, 4])
    query, key, value = (
        graph.node("Gather", apart, graph.constant(np.array(i, np.int64)), axis=0) for i in range(3)
    )
    if turn is not None:
        query, key = turn(query), turn(key)
    scores = graph.node("MatMul", query, graph.node("Transpose", key, perm=[0, 1, 3, 2]))
    scores = graph.node("Mul", scores, graph.constant(np.array(1 / math.sqrt(width), np.float32)))
    return _weighted(graph, graph.node("Add", scores, bias), value, heads * width)


def _weighted(graph: Graph, scores: str, value: str, width: int) -> str:
    """Mean of the values by the scores, heads joined: (windows, pieces, width)."""
    found = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), value)
    return graph.node("Reshape", graph.node("Transpose", found, perm=[0, 2, 1, 3]), graph.ints(0, 0, width))


def _split(graph: Graph, states: str, heads: int, width: int) -> str:
    """(windows, pieces, heads x width) → (windows, heads, pieces, width)."""
    return graph.node(
        "Transpose", graph.node("Reshape", states, graph.ints(0, 0, heads, width)), perm=[0, 2, 1, 3]
    )


def _halves(graph: Graph, states: str, width: int) -> tuple[str, str]:
    """The first and the next ``width`` of the last axis."""
    last = graph.ints(-1)
    left = graph.node("Slice", states, graph.ints(0), graph.ints(width), last)
    return left, graph.node("Slice", states, graph.ints(width), graph.ints(2 * width), last)


def _sum(graph: Graph, name: str, layer: nn.Linear, states: str, residual: str) -> str:
    return graph.node("Add", graph.linear(name, layer, states), residual)


def _wide(graph: Graph, name: str, layer: Any, states: str, kind: str) -> str:  # noqa: ANN401 - of transformers
    """The two-layer network behind attention, with its sum and norm."""
    wide = _active(graph, graph.linear(f"{name}.i", layer.intermediate.dense, states), kind)
    summed = _sum(graph, f"{name}.f", layer.output.dense, wide, states)
    return _norm(graph, f"{name}.f", layer.output.LayerNorm, summed)


def _active(graph: Graph, states: str, kind: str) -> str:
    if kind == "relu":
        return graph.node("Relu", states)
    root, one, half = (graph.constant(np.array(v, np.float32)) for v in (math.sqrt(2), 1.0, 0.5))
    erf = graph.node("Erf", graph.node("Div", states, root))
    return graph.node("Mul", graph.node("Mul", states, graph.node("Add", erf, one)), half)


def _norm(graph: Graph, name: str, norm: nn.LayerNorm, states: str) -> str:
    parts = [graph.weight(f"{name}.norm", norm.weight)]
    if norm.bias is not None:
        parts.append(graph.weight(f"{name}.norm.bias", norm.bias))
    return graph.node("LayerNormalization", states, *parts, axis=-1, epsilon=norm.eps)


_FAMILIES: dict[str, Callable[[Graph, TransformerEncoder, Any], list[str]]] = {
    "bert": _bert,
    "roberta": _bert,
    "electra": _bert,
    "mpnet": _mpnet,
    "modernbert": _modernbert,
    "xlnet": _xlnet,
}

"""A public transformer over word pieces; states of words from those of their pieces.

The network is the class of transformers that the folder's config names (see `medspan.train.hub`), so it has
its speed and its numbers. Long units are read in overlapping windows of pieces (see
`medspan.features.pieces`), and each word is answered for by one of them.
"""

from __future__ import annotations

from contextlib import nullcontext
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from medspan.errors import ConfigError
from medspan.features.pieces import PIECE_INPUTS, PieceLayout, Pieces, find_layout
from medspan.train.dropout import Dropout
from medspan.train.encoders.char_blstm import char_share, share_to_graph
from medspan.train.encoders.transformer_graph import states_to_graph
from medspan.train.encoders.words import BYTE
from medspan.train.quantize import is_large, quantized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.config import Transformer
    from medspan.train.graph import Graph
    from medspan.train.hub import HubModel

XLNET_KINDS = {"plain": 0, "cls": 2, "padding": 3}
"""Segments of XLNet: its last piece and the padding stand in segments of their own."""


class TransformerEncoder(nn.Module):
    """See `medspan.config.Transformer` for the settings; a level is a layer.

    Args:
        config: the settings.
        hub: the public encoder; its weights are copied.

    Raises:
        ModelError: if its tokenizer cannot be used.
        ConfigError: if more levels should be frozen than there are.
    """

    inputs = PIECE_INPUTS
    graph_inputs = PIECE_INPUTS

    def __init__(self, config: Transformer, hub: HubModel) -> None:
        super().__init__()
        self.family = hub.family
        self.bits = 16  # of the exported matrices
        self.model = deepcopy(hub.model)
        self.pieces = Pieces(hub.tokenizer_json, layout_of(config, hub))
        self.widths = [hub.width] * hub.layers
        self._rates = config.encoder_rate, config.layer_decay
        self.in_bfloat16 = config.bfloat16
        self._freeze(config.frozen)
        _set_dropout(self.model, config.dropout)
        if config.checkpointing:
            for layer in self.layers:
                _forget_states(layer)

    @property
    def layers(self) -> nn.ModuleList:
        """The layers, from the embeddings up."""
        model = self.model
        parent = model if self.family in {"xlnet", "modernbert"} else model.encoder
        found: nn.ModuleList = parent.layers if self.family == "modernbert" else parent.layer  # type: ignore[union-attr, assignment]
        return found

    @property
    def rates(self) -> dict[str, float]:
        """Factors of the learning rate by name of parameter: the lower the layer, the smaller."""
        top, decay = self._rates
        if top == decay == 1.0:
            return {}
        layers = len(self.widths)
        return {name: top * decay ** (layers - _depth(name, layers)) for name, _ in self.named_parameters()}

    def _freeze(self, levels: int) -> None:
        layers = len(self.widths)
        if levels > layers:
            raise ConfigError(f"encoder.frozen: is {levels}; this encoder has embeddings and {layers} layers")
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(_depth(name, layers) >= levels)

    def round_to_bytes(self) -> set[int]:
        """Round the matrices as a graph in eight bits keeps them; the ids of those parameters."""
        self.bits, found = BYTE, set()
        with torch.no_grad():
            for parameter in self.model.parameters():
                if is_large(parameter):
                    rows = parameter.reshape(len(parameter), -1)
                    parameter.copy_(quantized(rows).reshape(parameter.shape))
                    found.add(id(parameter))
        return found

    def forward(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """One (batch, words, width) tensor a layer."""
        first, stop, spot = batch["spot_first"], batch["spot_stop"], batch["word_spot"]
        levels = self.of_pieces(batch["piece_ids"])
        share = char_share(first, stop, levels[0].shape[1])
        return [
            # An embedding's backward pass adds in one order, so that runs repeat; that of indexing may not.
            nn.functional.embedding(spot, torch.bmm(share.to(level.dtype), level).flatten(0, 1))
            for level in levels
        ]

    def of_pieces(self, ids: Tensor) -> list[Tensor]:
        """One (windows, pieces, width) tensor a layer; ``ids`` int64 (windows, pieces)."""
        inside = (ids != self.pieces.layout.padding).long()
        options = {"token_type_ids": self.kinds(ids)} if self.family == "xlnet" else {}
        with _bfloat16(self.in_bfloat16 and ids.device.type == "cpu"):
            found = self.model(
                input_ids=ids, attention_mask=inside, output_hidden_states=True, return_dict=True, **options
            )
        levels = [*found.hidden_states[1:-1], found.last_hidden_state]
        # What follows, sums over pieces and the CRF's over paths, wants more digits.
        return [level.float() for level in levels] if self.in_bfloat16 else levels

    def kinds(self, ids: Tensor) -> Tensor:
        """Segments of pieces as XLNet numbers them: int64 (windows, pieces)."""
        layout = self.pieces.layout
        kinds = torch.full_like(ids, XLNET_KINDS["plain"])
        kinds[ids == layout.after[-1]] = XLNET_KINDS["cls"]
        kinds[ids == layout.padding] = XLNET_KINDS["padding"]
        return kinds

    def to_graph(self, graph: Graph) -> list[str]:
        """The same as ONNX nodes; one name a layer."""
        graph.in_bytes = self.bits == BYTE
        levels = states_to_graph(graph, self)
        graph.in_bytes = False
        share = share_to_graph(graph, "piece_ids", "spot_first", "spot_stop")
        shape = graph.ints(-1, self.widths[0])
        return [
            graph.node(
                "Gather", graph.node("Reshape", graph.node("MatMul", share, level), shape), "word_spot"
            )
            for level in levels
        ]


def _bfloat16(wanted: bool) -> torch.autocast | nullcontext[None]:  # noqa: FBT001 - its one meaning
    """On a CPU alone: the trainer computes all in bfloat16 on a GPU."""
    return torch.autocast("cpu", dtype=torch.bfloat16) if wanted else nullcontext()


def layout_of(config: Transformer, hub: HubModel) -> PieceLayout:
    """How pieces become rows for this encoder.

    Raises:
        ModelError: if its tokenizer cannot be used.
    """
    most = config.max_pieces if hub.most_pieces is None else min(config.max_pieces, hub.most_pieces)
    return find_layout(
        hub.tokenizer_json,
        padding=int(hub.config.pad_token_id),
        most=most,
        pooling=config.pieces,
        pads_left=hub.family == "xlnet",
    )


def _depth(name: str, layers: int) -> int:
    """0 for embeddings, then 1 for the lowest layer and so on."""
    found = [int(part) for part in name.split(".") if part.isdigit()]
    if found:
        return found[0] + 1
    return layers if "final_norm" in name else 0


def _set_dropout(model: nn.Module, rate: float | None) -> None:
    """Let layers draw cheap masks, at their own rate or another."""
    for part in list(model.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.Dropout):
                setattr(part, name, Dropout(child.p if rate is None else rate))
        if rate is not None and hasattr(part, "attention_dropout"):  # ModernBERT
            part.attention_dropout = rate  # type: ignore[assignment]


def _forget_states(layer: nn.Module) -> None:
    """Let a layer keep only its input for the backward pass (Chen et al. 2016); dropout is drawn again."""
    plain = layer.forward

    def forward(*inputs: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the layer takes and gives
        if not torch.is_grad_enabled():
            return plain(*inputs, **named)
        return checkpoint(plain, *inputs, use_reentrant=False, **named)

    layer.forward = forward

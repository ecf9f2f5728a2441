"""Encoders: arrays of a batch → states. `ENCODERS` names those that start afresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from medspan.config import BlstmCnn, CharBlstm, Cnn, Transformer, Window
from medspan.errors import ConfigError
from medspan.train.encoders.blstm_cnn import BlstmCnnEncoder
from medspan.train.encoders.char_blstm import CharBlstmEncoder
from medspan.train.encoders.cnn import CnnEncoder
from medspan.train.encoders.transformer import TransformerEncoder
from medspan.train.encoders.window import WindowEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor, nn

    from medspan.config import EncoderConfig
    from medspan.features.vocab import Vocab
    from medspan.train.graph import Graph
    from medspan.train.hub import HubModel


class Encoder(Protocol):
    """What every encoder has; all are torch modules."""

    inputs: tuple[str, ...]
    graph_inputs: tuple[str, ...]
    widths: list[int]

    def __call__(self, batch: Mapping[str, Tensor]) -> list[Tensor]:
        """One (batch, words, width) tensor a level."""
        ...

    def to_graph(self, graph: Graph) -> list[str]:
        """The same as ONNX nodes over ``graph_inputs``; one name a level."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The trained tensors by name."""
        ...


ENCODERS: dict[type, Callable[[Any, Vocab], nn.Module]] = {
    BlstmCnn: BlstmCnnEncoder,
    CharBlstm: CharBlstmEncoder,
    Window: WindowEncoder,
    Cnn: CnnEncoder,
}


def build_encoder(config: EncoderConfig, vocab: Vocab, hub: HubModel | None = None) -> nn.Module:
    """The encoder a recipe asks for, with fresh weights, or those of a public encoder.

    Raises:
        ConfigError: if it needs a public encoder and there is none.
    """
    if isinstance(config, Transformer):
        if hub is None:
            raise ConfigError(
                "encoder.kind: a 'transformer' starts from a public encoder, which was not read"
            )
        return TransformerEncoder(config, hub)
    return ENCODERS[type(config)](config, vocab)

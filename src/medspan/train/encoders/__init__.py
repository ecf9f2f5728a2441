"""Encoders: arrays of a batch → states. `ENCODERS` names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from medspan.config import BlstmCnn, CharBlstm, Cnn, Window
from medspan.train.encoders.blstm_cnn import BlstmCnnEncoder
from medspan.train.encoders.char_blstm import CharBlstmEncoder
from medspan.train.encoders.cnn import CnnEncoder
from medspan.train.encoders.window import WindowEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor, nn

    from medspan.config import EncoderConfig
    from medspan.features.vocab import Vocab
    from medspan.train.graph import Graph


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


def build_encoder(config: EncoderConfig, vocab: Vocab) -> nn.Module:
    """The encoder a recipe asks for, with fresh weights."""
    return ENCODERS[type(config)](config, vocab)

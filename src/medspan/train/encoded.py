"""What every network of encoder and heads has: the encoder, and what loops and exports ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from medspan.features.pieces import Pieces
from medspan.train.encoders import build_encoder
from medspan.train.encoders.words import WordFeatures

if TYPE_CHECKING:
    from medspan.config import EncoderConfig
    from medspan.features.vocab import Vocab
    from medspan.train.hub import HubModel


class EncodedNetwork(nn.Module):
    """An encoder; those who inherit put heads on it.

    Args:
        config: names the encoder.
        vocab: sizes of the tables.
        hub: the public encoder a ``transformer`` starts from.
    """

    def __init__(self, config: EncoderConfig, vocab: Vocab, hub: HubModel | None = None) -> None:
        super().__init__()
        self.encoder = build_encoder(config, vocab, hub)

    @property
    def widths(self) -> list[int]:
        """Width of the states of each level."""
        widths: list[int] = self.encoder.widths  # type: ignore[assignment]
        return widths

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the arrays of words the encoder takes."""
        names: tuple[str, ...] = self.encoder.inputs  # type: ignore[assignment]
        return names

    @property
    def graph_inputs(self) -> tuple[str, ...]:
        """Names of the arrays the exported graph takes."""
        names: tuple[str, ...] = self.encoder.graph_inputs  # type: ignore[assignment]
        return names

    @property
    def features(self) -> WordFeatures | None:
        """The part that sees each distinct word by itself; None in an encoder that reads characters only."""
        found = getattr(self.encoder, "features", None)
        return found if isinstance(found, WordFeatures) else None

    @property
    def pieces(self) -> Pieces | None:
        """What cuts words into pieces; None in an encoder over words or characters."""
        found = getattr(self.encoder, "pieces", None)
        return found if isinstance(found, Pieces) else None

    @property
    def rates(self) -> dict[str, float]:
        """Factors of the learning rate the encoder asks for, by name of parameter; 1 where absent."""
        found: dict[str, float] = getattr(self.encoder, "rates", {})
        return {f"encoder.{name}": rate for name, rate in found.items()}

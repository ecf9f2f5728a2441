"""Parts of a model folder that taggers and relation networks have alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import torch

from medspan.features.batch import FORM_INPUTS
from medspan.features.pieces import FILE, LAYOUT_FILE
from medspan.model.spec import EncoderSpec, FormSpec
from medspan.toml import recipe_toml
from medspan.train.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from medspan.config import EncoderConfig, Recipe
    from medspan.features.pieces import Pieces
    from medspan.features.vocab import Vocab
    from medspan.train.encoded import EncodedNetwork

TOLERANCE = 2e-3
"""How far an output of a graph may be from the network's; sums are added in another order."""
PROOF_DOCUMENTS = 40
"""Documents of a dev split on which graph and network are compared."""


def encoder_spec(config: EncoderConfig) -> EncoderSpec:
    """An encoder as a model folder names it: its kind, and what was set."""
    settings = msgspec.to_builtins(config)
    kind = settings.pop("kind")
    return EncoderSpec(
        kind, {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items() if v is not None}
    )


def form_spec(network: EncodedNetwork) -> FormSpec | None:
    """What the graph of single words takes and gives; None where the encoder has none."""
    return FormSpec(FORM_INPUTS, network.features.width) if network.features else None


def round_to_half(network: EncodedNetwork, kept: Collection[int] = ()) -> None:
    """Round parameters in place to what half precision holds, so that graph and network are one model.

    Args:
        network: whose parameters.
        kept: ``id`` of those that stay as they are.
    """
    with torch.no_grad():
        for parameter in network.parameters():
            if id(parameter) not in kept:
                parameter.copy_(parameter.half().float())


def graphs_of(
    network: EncodedNetwork, write: Callable[[Graph], object], *, half: bool
) -> tuple[bytes | None, bytes]:
    """The graph of single words, where the encoder has one, and the graph of what stands around them.

    Args:
        network: the encoder is that of both.
        write: puts the context and the heads into the second.
        half: store large weights in half precision.
    """
    features, forms = network.features, None
    if features is not None:
        single = Graph(FORM_INPUTS, half=half)
        single.output("word_states", features.to_graph(single), ("forms", features.width))
        forms = single.build()
    graph = Graph(network.graph_inputs, half=half, width=features.width if features else 0)
    write(graph)
    return forms, graph.build()


def files_of(
    network: EncodedNetwork, vocab: Vocab, recipe: Recipe, *, forms: bytes | None, scores: object, card: str
) -> dict[str, bytes]:
    """The files beside the graph of a network, its decoder and what it finds in golden documents.

    Args:
        network: may read pieces of words.
        vocab: its words and characters.
        recipe: what was trained.
        forms: the graph of single words, if there is one.
        scores: what ``metrics.json`` holds.
        card: the text of ``README.md``.
    """
    return {
        "vocab.json": vocab.to_json(),
        **({"forms.onnx": forms} if forms else {}),
        **_piece_files(network.pieces),
        "metrics.json": msgspec.json.format(msgspec.json.encode(scores), indent=2) + b"\n",
        "README.md": card.encode(),
        "recipe.toml": recipe_toml(recipe).encode(),
    }


def _piece_files(pieces: Pieces | None) -> dict[str, bytes]:
    """What cuts words into pieces where the model is used."""
    if pieces is None:
        return {}
    return {FILE: pieces.tokenizer_json, LAYOUT_FILE: msgspec.json.encode(pieces.layout)}

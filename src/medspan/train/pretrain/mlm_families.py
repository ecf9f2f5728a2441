"""Families of transformers as language models: their conventions, their heads, and new networks.

Opening folders is the part of `medspan.train.hub`; here an encoder gets the head that predicts pieces.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from medspan.errors import ConfigError, MissingExtraError
from medspan.train.hub import new_config
from medspan.train.pretrain.mlm_pieces import special_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from medspan.train.hub import HubModel
    from medspan.train.pretrain.mlm_pieces import Cutter
    from medspan.train.pretrain.settings import NewConfig


class Conventions(NamedTuple):
    """What a family's texts look like, and its language model.

    ``lead`` and ``trail`` stand around a text; ``types`` are the segment numbers of text, of the last piece
    and of padding, None where all are 0. ``network`` is the class of transformers, ``head`` what it does to
    states, float (places, width), to score pieces, float (places, pieces): it may be asked for some only.
    """

    network: str
    head: Callable[[Any, Tensor], Tensor]
    lead: tuple[str, ...]
    trail: tuple[str, ...]
    mask: str
    padding: str
    unknown: str
    pads_left: bool = False
    types: tuple[int, int, int] | None = None


_CLS = (("[CLS]",), ("[SEP]",), "[MASK]", "[PAD]", "[UNK]")
_S = (("<s>",), ("</s>",), "<mask>", "<pad>")
CONVENTIONS: dict[str, Conventions] = {
    "bert": Conventions("BertForMaskedLM", lambda net, states: net.cls(states), *_CLS),
    "roberta": Conventions("RobertaForMaskedLM", lambda net, states: net.lm_head(states), *_S, "<unk>"),
    "electra": Conventions(
        "ElectraForMaskedLM",
        lambda net, states: net.generator_lm_head(net.generator_predictions(states)),
        *_CLS,
    ),
    "mpnet": Conventions("MPNetForMaskedLM", lambda net, states: net.lm_head(states), *_S, "[UNK]"),
    "xlnet": Conventions(
        "XLNetLMHeadModel",
        lambda net, states: net.lm_loss(states),
        (),
        ("<sep>", "<cls>"),
        "<mask>",
        "<pad>",
        "<unk>",
        pads_left=True,
        types=(0, 2, 3),
    ),
    "modernbert": Conventions(
        "ModernBertForMaskedLM", lambda net, states: net.decoder(net.head(states)), *_CLS
    ),
}
"""By ``model_type``."""


class LanguageModel(NamedTuple):
    """An encoder with its head; ``fresh`` are the tensors that start at random, by name."""

    family: str
    network: Any
    fresh: tuple[str, ...] = ()

    @property
    def conventions(self) -> Conventions:
        """Those of its family."""
        return CONVENTIONS[self.family]

    def states(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The last states, float (blocks, places, width); where targets are mapped, theirs."""
        options = {"use_mems": False} if self.family == "xlnet" else {}
        found: Tensor = self.network.base_model(**inputs, **options).last_hidden_state
        return found

    def scores(self, states: Tensor) -> Tensor:
        """Scores of all pieces: float (places, pieces)."""
        return self.conventions.head(self.network, states)


def with_head(start: HubModel) -> LanguageModel:
    """The language model of an encoder; parts of its head that the folder has are taken over."""
    network = _network(start.family, start.config)
    network.base_model.load_state_dict(start.model.state_dict())
    own = own_tensors(network)
    prefix = f"{network.base_model_prefix}."
    head = {name: tensor for name, tensor in own.items() if not name.startswith(prefix)}
    known = {
        name: start.rest[name]
        for name, tensor in head.items()
        if name in start.rest and start.rest[name].shape == tensor.shape
    }
    network.load_state_dict(known, strict=False)
    return LanguageModel(start.family, network, tuple(name for name in head if name not in known))


def new_language_model(config: NewConfig, cutter: Cutter, *, most_places: int, where: str) -> LanguageModel:
    """A network that starts at random, as torch's generator has it.

    Args:
        config: its sizes.
        cutter: from `medspan.train.pretrain.mlm_pieces.open_tokenizer`.
        most_places: it sees at once, where that is a matter of the network (bert).
        where: names the tokenizer in errors.

    Raises:
        ModelError: if the tokenizer lacks special pieces of the family.
    """
    padding = special_pieces(cutter, CONVENTIONS[config.family], where).padding
    inner = config.inner or 4 * config.width
    if config.family == "xlnet":
        sizes: dict[str, object] = {
            "d_model": config.width,
            "n_layer": config.layers,
            "n_head": config.heads,
            "d_inner": inner,
            "dropout": config.dropout,
        }
    else:
        sizes = {
            "hidden_size": config.width,
            "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads,
            "intermediate_size": inner,
            "hidden_dropout_prob": config.dropout,
            "attention_probs_dropout_prob": config.dropout,
            "max_position_embeddings": max(512, most_places),
        }
    settings = {"vocab_size": cutter.tokenizer.get_vocab_size(), "pad_token_id": padding, **sizes}
    network = _network(config.family, new_config(config.family, settings))
    return LanguageModel(config.family, network, tuple(own_tensors(network)))


def own_tensors(network: nn.Module) -> dict[str, Tensor]:
    """The tensors of a network by name, those that are tied once: what a file of it holds."""
    once = {name for name, _ in network.named_parameters()}
    tied = {name for name, _ in network.named_parameters(remove_duplicate=False)} - once
    return {name: tensor for name, tensor in network.state_dict().items() if name not in tied}


def load_own(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `own_tensors` gave."""
    with torch.no_grad():
        for name, tensor in own_tensors(network).items():
            tensor.copy_(tensors[name])


def check_room(pieces: int, most: int | None) -> None:
    """Whether a network can see blocks of so many pieces; transformers says -1 where there is no limit.

    Raises:
        ConfigError: if it cannot.
    """
    if most is not None and 0 <= most < pieces:
        raise ConfigError(f"mlm.pieces: is {pieces}; this network sees {most} at most")


def _network(family: str, config: Any) -> Any:  # noqa: ANN401 - classes of transformers
    try:
        module = import_module(f"transformers.models.{family}.modeling_{family}")
    except ModuleNotFoundError:
        raise MissingExtraError("pretraining a transformer", "transformers", "train") from None
    return getattr(module, CONVENTIONS[family].network)(config)

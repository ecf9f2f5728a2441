"""A teacher over word pieces as a network of torch, where that reads faster than its graph.

A graph computes in single precision on a CPU, and on a GPU it needs another build of onnxruntime. Text of
millions of words is labelled several times as fast by torch: on a GPU, or in bfloat16 on a CPU that has it.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from medspan.config import Transformer, parse_recipe
from medspan.errors import ModelError
from medspan.features.batch import Featurizer
from medspan.features.vocab import read_vocab
from medspan.model.tagger import Tagger, tagger_of
from medspan.train.hub import HubModel, new_model, read_config
from medspan.train.network import Network
from medspan.train.quantize import unpack_bytes
from medspan.train.scorer import TorchScorer, pick_device

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from medspan.model.session import Device
    from medspan.model.store import StoredModel

_WEIGHTS = "model.safetensors"


def network_tagger(model: StoredModel, bases: Sequence[Path], device: Device) -> Tagger | None:
    """A transformer as a network; None where its graph has to do.

    That is: for other encoders, for a model without its weights, where the public folder that tells the shape
    is not there, and on a CPU where the model was not trained in bfloat16.

    Args:
        model: a model folder.
        bases: folders that a relative ``encoder.source`` of its recipe may start from.
        device: where to compute.

    Raises:
        ModelError: if its files, or those of the public folder, are damaged or do not fit each other.
        UsageError: if the device is not there.
        MissingExtraError: if transformers is not installed.
    """
    if model.spec.encoder.kind != "transformer" or _WEIGHTS not in model.spec.files:
        return None
    where = model.path / "recipe.toml"
    recipe = parse_recipe(tomllib.loads(model.read("recipe.toml").decode()), str(where))
    chosen = pick_device(device)
    if not isinstance(recipe.encoder, Transformer) or (chosen.type == "cpu" and not recipe.encoder.bfloat16):
        return None
    source = recipe.encoder.source
    folder = next((base / source for base in bases if (base / source).is_dir()), None)
    if folder is None:
        return None
    family, config = read_config(folder)
    tokenizer = model.read("tokenizer.json")
    hub = HubModel(source, family, config, new_model(family, config), {}, tokenizer, "", "", folder)
    vocab = read_vocab(model.read("vocab.json"))
    network = Network(recipe, vocab, hub)
    try:
        network.load_state_dict(unpack_bytes(load_tensors(model.read(_WEIGHTS))))
    except (SafetensorError, KeyError, RuntimeError):
        raise ModelError(
            f"{model.path / _WEIGHTS}: does not fit the encoder of {folder}; put the one there that the "
            "model was trained from"
        ) from None
    featurizer = Featurizer(vocab, network.inputs, max_chars=1, pieces=network.pieces)
    return tagger_of(model.spec, model.decoders(), featurizer, TorchScorer(network.to(chosen)))

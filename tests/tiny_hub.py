"""Tiny public encoders in folders, with random weights and tiny tokenizers: nothing is fetched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from medspan.train.hub import FAMILIES, new_config, new_model
from tiny_tokenizers import TOKENIZERS

if TYPE_CHECKING:
    from pathlib import Path

_SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SETTINGS: dict[str, dict[str, Any]] = {
    "bert": {**_SHAPE, "max_position_embeddings": 64, "pad_token_id": 0},
    "electra": {**_SHAPE, "max_position_embeddings": 64, "pad_token_id": 0, "embedding_size": 8},
    "roberta": {**_SHAPE, "max_position_embeddings": 66, "pad_token_id": 1},
    "mpnet": {**_SHAPE, "max_position_embeddings": 66, "pad_token_id": 1},
    "modernbert": {
        **_SHAPE,
        "num_hidden_layers": 4,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
        "local_attention": 8,
    },
    "xlnet": {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32, "pad_token_id": 5},
}


def write_hub_model(folder: Path, family: str, **changes: object) -> Path:
    """A folder of a tiny encoder whose weights are large enough that a wrong one shows."""
    tokenizer = TOKENIZERS[family]()
    settings = {"vocab_size": tokenizer.get_vocab_size(), **SETTINGS[family], **changes}
    torch.manual_seed(7)
    model = new_model(family, new_config(family, settings))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0, 0.3)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": family, **settings}))
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# tiny\n")
    return folder


ALL_FAMILIES = tuple(FAMILIES)

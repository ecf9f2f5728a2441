"""Tiny public encoders in folders, with random weights and tokenizers made on the spot: nothing is fetched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from medspan.train.hub import FAMILIES, new_config, new_model

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = (
    "No sign of grey fever after zelvorin, as expected (IL-2).",
    "amoxitane was given for nodular ankylia . We saw dry lung in 12 of 40 patients.",
    "The weather stayed mild all week. Levels of bromatin (5 mg/day) were low",
    "Patient has ferrulin for grey fever and dry lung of unknown origin",
)
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
XLNET_SPECIAL = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>"]
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


def word_pieces() -> Tokenizer:
    """As BERT: lower case, ``[CLS] … [SEP]``."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=BERT_SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def byte_pairs() -> Tokenizer:
    """As RoBERTa: bytes, ``<s> … </s>``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=ROBERTA_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def unigrams() -> Tokenizer:
    """As XLNet: ``… <sep> <cls>``."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=100,
        special_tokens=XLNET_SPECIAL,
        unk_token="<unk>",  # noqa: S106 - no password
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:0 <sep>:0 <cls>:2", special_tokens=[("<sep>", 4), ("<cls>", 3)]
    )
    return tokenizer


TOKENIZERS = {
    "bert": word_pieces,
    "electra": word_pieces,
    "roberta": byte_pairs,
    "mpnet": byte_pairs,
    "modernbert": word_pieces,
    "xlnet": unigrams,
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

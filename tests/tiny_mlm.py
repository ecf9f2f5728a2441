"""Tiny transformers, their tokenizers and runs on tiny text, for tests of `medspan pretrain mlm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from medspan import formats
from medspan.train.hub import new_config
from medspan.train.pretrain.mlm_families import CONVENTIONS, LanguageModel, _network, own_tensors
from medspan.train.pretrain.mlm_folder import config_of
from medspan.train.pretrain.mlm_run import pretrain_mlm
from medspan.train.pretrain.settings import MlmChanges, load_mlm_recipe
from medspan.types import Document
from tiny_pretraining import KilledError, toml
from tiny_training import tiny_document

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.train.pretrain.mlm import MlmRow, MlmState

WORDS = sorted({word for i in range(80) for word in tiny_document(i).text.replace(",", " ,").split()})
_PLAIN = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
}
SIZES: dict[str, dict[str, object]] = {
    "bert": _PLAIN,
    "roberta": _PLAIN,
    "electra": {**_PLAIN, "embedding_size": 8},
    "mpnet": _PLAIN,
    "xlnet": {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32},
    "modernbert": {**_PLAIN, "local_attention": 16},
}
_MARKED = {"xlnet", "roberta", "modernbert"}


def tiny_tokenizer(family: str) -> Tokenizer:
    """Pieces of two letters or so, and the family's special pieces; its blanks too, where it marks them."""
    conventions = CONVENTIONS[family]
    special = [conventions.unknown, conventions.padding, conventions.mask]
    special += [*conventions.lead, *conventions.trail]
    letters = sorted({letter for word in WORDS for letter in word})
    if family in _MARKED:
        pairs = {word[i : i + 2] for word in WORDS for i in range(0, len(word), 2)}
        found = [(piece, 0.0) for piece in special]
        found += [(piece, -2.0 - i / 100) for i, piece in enumerate(sorted({*pairs, *letters, "\u2581"}))]
        tokenizer = Tokenizer(models.Unigram(found, unk_id=0))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
        )
    else:
        pieces = [*special, *letters, *(f"##{letter}" for letter in letters), *(word[:3] for word in WORDS)]
        vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
        tokenizer = Tokenizer(models.WordPiece(vocab, unk_token=conventions.unknown))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(special)
    last = [f"{piece}:2" if family == "xlnet" and piece == "<cls>" else piece for piece in conventions.trail]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join([*conventions.lead, "$A", *last]),
        special_tokens=[(piece, tokenizer.token_to_id(piece)) for piece in dict.fromkeys(special)],
    )
    return tokenizer


def tiny_hub(folder: Path, family: str, *, with_head: bool = True) -> LanguageModel:
    """A folder in the layout of Hugging Face with random weights; what is in it."""
    folder.mkdir(parents=True)
    tokenizer = tiny_tokenizer(family)
    torch.manual_seed(3)
    padding = tokenizer.token_to_id(CONVENTIONS[family].padding)
    sizes = {**SIZES[family], "vocab_size": tokenizer.get_vocab_size(), "pad_token_id": padding}
    network = _network(family, new_config(family, sizes)).eval()
    with torch.no_grad():
        for parameter in network.parameters():  # lively: biases are zeros else
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model = LanguageModel(family, network)
    prefix = f"{network.base_model_prefix}."
    tensors = {
        k: v.contiguous() for k, v in own_tensors(network).items() if with_head or k.startswith(prefix)
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_bytes(msgspec.json.encode(config_of(model)))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    return model


class Watcher:
    """Keeps the rows and losses; stops after a step."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.rows: list[MlmRow] = []
        self.losses: list[float] = []
        self._stop_at = stop_at

    def on_step(self, state: MlmState, total_words: int, loss: float) -> None:  # noqa: ARG002 - a watcher's signature
        self.losses.append(loss)
        if state.step == self._stop_at:
            raise KilledError

    def on_row(self, row: MlmRow) -> None:
        self.rows.append(row)


def mlm_recipe(folder: Path, *, start: str | None = None, **parts: dict[str, Any]) -> Path:
    """A recipe over 60 invented documents; a new xlnet with a given tokenizer where nothing else is said."""
    formats.write([Document(f"d{i}", tiny_document(i).text) for i in range(60)], folder / "notes.jsonl")
    table: dict[str, Any] = {"name": "tiny"} | ({"from": start} if start else {})
    table |= {
        "text.notes": {"source": "notes.jsonl"},
        "reading": {"held_out": 0.2},
        "mlm": {
            "objective": "permutation",
            "epochs": 6,
            "pieces": 48,
            "batch_blocks": 4,
            "learning_rate": 5e-3,
            "checkpoint_steps": 4,
            "evaluate_steps": 20,
            "held_out_words": 200,
        },
    }
    if not start:
        tiny_tokenizer("xlnet").save(str(folder / "tokenizer.json"))
        table["new"] = {"layers": 2, "width": 32, "heads": 2, "tokenizer": "tokenizer.json"}
    for name, part in parts.items():
        table[name] = {**table.get(name, {}), **part}
    path = folder / "mlm.toml"
    path.write_text(toml(table), encoding="utf-8")
    return path


def pretrain(path: Path, output: Path, watcher: Watcher | None = None, **options: Any) -> Watcher:
    watcher = watcher or Watcher()
    options.setdefault("tell", lambda _: None)
    recipe = load_mlm_recipe(path, MlmChanges())
    pretrain_mlm(recipe, output, watcher=watcher, base=path.parent, device="cpu", **options)
    return watcher

"""The folder of a pretrained transformer: the layout of Hugging Face, and where it comes from.

``config.json``, ``model.safetensors`` (the encoder with its head; tied tensors once), ``tokenizer.json``,
``tokenizer_config.json`` (special pieces, for transformers), ``medspan.json`` (provenance), ``metrics.json``,
``recipe.toml`` and ``README.md``. `medspan.train.hub` and transformers open it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from safetensors.torch import save as save_tensors

from medspan.errors import UsageError
from medspan.model.spec import CorpusSpec, Digest
from medspan.model.store import check_replaceable, write_folder
from medspan.train.hub import CARD, CONFIG, TOKENIZER, WEIGHTS
from medspan.train.pretrain.mlm_families import own_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.train.pretrain.mlm import MlmRow
    from medspan.train.pretrain.mlm_families import Conventions, LanguageModel

SPEC = "medspan.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
KNOWN_FILES = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, SPEC, "metrics.json", "recipe.toml", CARD)


class MlmSpec(msgspec.Struct, frozen=True):
    """``medspan.json``: what was learnt, from which texts, and from which start (None: a new network)."""

    name: str
    objective: Literal["mlm", "permutation"]
    family: str
    language: str
    licence: str
    texts: tuple[CorpusSpec, ...]
    start: CorpusSpec | None
    medspan: str
    seed: int
    date: str
    command: str
    recipe: Digest
    """SHA-256 of ``recipe.toml``."""
    steps: int
    words: int
    pieces: int
    parameters: int
    held_out_loss: float
    """Nats a hidden piece."""
    hours: float
    description: str = ""
    files: dict[str, Digest] = {}
    kind: Literal["pretrained transformer"] = "pretrained transformer"
    format_version: Literal[1] = 1


def check_output(output: Path, start: Path | None) -> None:
    """Only a folder of an earlier run of the same kind may be replaced, and not the start.

    Raises:
        UsageError: if something else stands there.
    """
    if start is not None and start.exists() and output.resolve() == start.resolve():
        raise UsageError(f"{output}: is the folder it starts from; name another one with -o")
    check_replaceable(output, KNOWN_FILES)
    if output.exists() and any(output.iterdir()) and not (output / SPEC).exists():
        raise UsageError(
            f"{output}: has no {SPEC}, so it is not of `medspan pretrain mlm` and is not replaced; name "
            "another folder"
        )


def earlier_texts(folder: Path) -> tuple[CorpusSpec, ...]:
    """Texts that a start was learnt from, where it says so."""
    try:
        return msgspec.json.decode((folder / SPEC).read_bytes(), type=MlmSpec).texts
    except (OSError, msgspec.MsgspecError):
        return ()


def save_language_model(
    folder: Path,
    spec: MlmSpec,
    model: LanguageModel,
    *,
    tokenizer: bytes,
    history: list[MlmRow],
    recipe: bytes,
) -> None:
    """Write the folder whole or not at all; the digests of its files are computed here.

    Args:
        folder: in the layout of Hugging Face.
        spec: what it is; its ``files`` are computed here.
        model: the network.
        tokenizer: the bytes of its ``tokenizer.json``.
        history: rows of ``metrics.json``.
        recipe: the bytes of ``recipe.toml``.

    Raises:
        UsageError: if something else stands there.
    """
    check_output(folder, None)
    tensors = {name: t.detach().float().cpu().contiguous() for name, t in own_tensors(model.network).items()}
    files = {
        CONFIG: _json(config_of(model)),
        WEIGHTS: save_tensors(tensors, metadata={"format": "pt"}),
        TOKENIZER: tokenizer,
        TOKENIZER_CONFIG: _json(tokenizer_config(model.conventions)),
        "metrics.json": _json({"history": history}),
        "recipe.toml": recipe,
    }
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    spec = msgspec.structs.replace(spec, files=digests)
    write_folder(folder.resolve(), {**files, SPEC: _json(spec), CARD: card(spec).encode("utf-8")})


def config_of(model: LanguageModel) -> dict[str, Any]:
    """The settings of a network, as transformers reads them."""
    found: dict[str, Any] = model.network.config.to_dict()
    kept = {key: value for key, value in found.items() if key not in _NO_SETTINGS}
    return {**kept, "architectures": [type(model.network).__name__], "dtype": "float32"}


def tokenizer_config(conventions: Conventions) -> dict[str, Any]:
    """What transformers' AutoTokenizer has to know beside ``tokenizer.json``."""
    lead, trail = conventions.lead, conventions.trail
    inputs = ["input_ids", *(["token_type_ids"] if conventions.types else []), "attention_mask"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "padding_side": "left" if conventions.pads_left else "right",
        "model_input_names": inputs,
        "cls_token": (lead or trail[-1:])[0],
        "sep_token": trail[0],
        "mask_token": conventions.mask,
        "pad_token": conventions.padding,
        "unk_token": conventions.unknown,
    }


def card(spec: MlmSpec) -> str:
    """What the folder is, as Markdown; its head is the one the hub knows."""
    start = f"{spec.start.name} ({spec.start.licence})" if spec.start else "random weights"
    facts = {
        "what": f"{spec.family}, {spec.parameters:,} parameters",
        "learnt": _OBJECTIVES[spec.objective],
        "started from": start,
        "from text": f"{spec.words:,} words, {spec.pieces:,} pieces, {spec.steps:,} steps",
        "held-out loss": f"{spec.held_out_loss} nats a hidden piece",
        "language": spec.language,
        "licence of the weights": spec.licence,
        "made": f"{spec.date}, medspan {spec.medspan}, {spec.hours} hours",
        "seed": spec.seed,
        "command": f"`{spec.command}`",
    }
    return _CARD.format(
        name=spec.name,
        language=spec.language,
        licence=spec.licence.lower(),
        description=spec.description or "A transformer to start from.",
        facts="\n".join(f"- {key}: {value}" for key, value in facts.items()),
        texts="\n".join(f"| {text.name} | {text.licence} |" for text in spec.texts),
    )


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


_NO_SETTINGS = {
    "_name_or_path",
    "transformers_version",
    "id2label",
    "label2id",
    "problem_type",
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "chunk_size_feed_forward",
}
"""Keys of a config of transformers that say nothing of the network."""
_OBJECTIVES = {
    "mlm": "masked words, all pieces of a word at once",
    "permutation": "the permutation language model of XLNet",
}
_CARD = """\
---
license: {licence}
language: {language}
---
# {name}

{description}

{facts}

## Text it was learnt from

| text | licence |
|---|---|
{texts}

No text is in this folder beyond the pieces of words in `tokenizer.json`. Articles of PubMed Central have
licences of their own, which vary.

## Use

Weights to start a tagger from, no tagger: name this folder in a recipe of medspan, or open it with
transformers' `AutoModel`. `medspan pretrain mlm --from` learns on.
"""

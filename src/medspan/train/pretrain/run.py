"""A whole pretraining run: recipe → run folder with text, log and checkpoint → pretrained folder."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import msgspec
import torch
from safetensors.torch import save as save_tensors

import medspan
from medspan.model.pretrained import (
    BUCKETS,
    HEAD,
    KNOWN_FILES,
    SUBWORDS,
    TENSORS,
    PretrainedSpec,
    save_pretrained,
)
from medspan.model.spec import CorpusSpec
from medspan.model.store import check_replaceable
from medspan.text.tokenize import TOKENIZER_ID
from medspan.toml import recipe_toml
from medspan.train.pretrain.lm import LmTrainer
from medspan.train.pretrain.settings import load_lm_recipe, load_vector_recipe
from medspan.train.pretrain.subwords import follow
from medspan.train.pretrain.text import read_text
from medspan.train.pretrain.vectors import VectorTrainer
from medspan.train.quantize import pack_bytes
from medspan.train.run import run_folder
from medspan.train.scorer import pick_device
from medspan.train.transfer import WORDS, find_donor, licence_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Literal

    from torch import Tensor

    from medspan.model.session import Device
    from medspan.model.spec import Setting
    from medspan.train.pretrain.lm import LmWatcher
    from medspan.train.pretrain.settings import LmRecipe, VectorRecipe
    from medspan.train.pretrain.subwords import Subwords
    from medspan.train.pretrain.text import Text
    from medspan.train.pretrain.vectors import VectorWatcher
    from medspan.train.transfer import Donor


def pretrain_lm(
    path: Path,
    output: Path,
    verb: Literal["bilm", "charlm"],
    *,
    watcher: LmWatcher,
    tell: Callable[[str], None],
    device: Device = "auto",
    resume: bool = False,
    max_minutes: float | None = None,
    start: Path | None = None,
    text_folder: Path | None = None,
    command: str = "",
) -> None:
    """Learn a language model and write what a tagger can start from.

    Args:
        path: the recipe.
        output: the pretrained folder; the run folder stands beside it, with ``.run`` behind its name.
        verb: which kind of encoder learns.
        watcher: hears of every step and measurement.
        tell: hears what a person should read once.
        device: where to compute.
        resume: go on from the checkpoint of the run folder.
        max_minutes: stop after this time of learning and write what there is.
        start: a folder to start from; takes the place of ``transfer.from`` in the recipe.
        text_folder: where the text is kept once it was read; in the run folder where None.
        command: the command line, for the card.

    Raises:
        UsageError, ConfigError, DataError, TrainingError, ModelError: as the parts do.
    """
    recipe, donor = find_donor(load_lm_recipe(path, verb), path.parent, start)
    chosen = pick_device(device)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    check_replaceable(output, KNOWN_FILES)
    run = run_folder(output, resume=resume)
    folder = text_folder or run / "text"
    text = read_text(recipe.text, recipe.reading, folder, base=path.parent, tell=tell, resume=resume)
    trainer = LmTrainer(recipe, text, run, device=chosen, donor=donor)
    for line in trainer.transferred.lines() if trainer.transferred else []:
        tell(line)
    if (licence := licence_of(recipe.licence, donor)) != recipe.licence:
        tell(f"licence of the weights: {licence}, as their start has it, and not {recipe.licence}")
    if resume:
        trainer.resume()
    (run / "resolved.toml").write_text(recipe_toml(recipe), encoding="utf-8")
    trainer.run(watcher, max_minutes=max_minutes)
    spec = _spec(recipe, verb, path, text=text, command=command, donor=donor)
    _save_lm(trainer, recipe, spec, output)


def _save_lm(trainer: LmTrainer, recipe: LmRecipe, spec: PretrainedSpec, output: Path) -> None:
    """Write the folder of a language model."""
    tensors = {
        name: tensor for name, tensor in trainer.network.state_dict().items() if name.startswith("encoder.")
    }
    head = {f"head.{name}": tensor for name, tensor in trainer.network.head.state_dict().items()}
    rows = trainer.state.history
    metrics = {
        "words_learnt": trainer.state.words,
        "words_planned": trainer.total_words,
        "vocabulary": len(trainer.vocab.words),
        "characters": len(trainer.vocab.characters),
        "perplexity_forward": rows[-1].perplexity_forward,
        "perplexity_backward": rows[-1].perplexity_backward,
        "hours": round(trainer.state.minutes / 60, 3),
        "history": rows,
    }
    files = {
        "vocab.json": trainer.vocab.to_json(),
        TENSORS: _pack(tensors),
        HEAD: _pack(head),
        "metrics.json": _json(metrics),
        "recipe.toml": recipe_toml(recipe).encode(),
    }
    subwords = _subwords(trainer)
    if subwords is not None:
        spec = msgspec.structs.replace(spec, subwords=subwords.lengths)
        files[SUBWORDS] = _pack({BUCKETS: torch.from_numpy(subwords.buckets)})
    save_pretrained(output, spec, files)


def _subwords(trainer: LmTrainer) -> Subwords | None:
    """The donor's n-grams, for words the vocabulary lacks; None where it has none or its words do not fit."""
    donor, done = trainer.donor, trainer.transferred
    if donor is None or done is None or donor.subwords is None or WORDS not in done.loaded:
        return None
    known = slice(2, donor.vocab.n_words)
    now = trainer.network.state_dict()[WORDS][known].float().cpu()
    return follow(donor.subwords, donor.tensors[WORDS][known].numpy(), now.numpy())


def pretrain_vectors(
    path: Path,
    output: Path,
    *,
    watcher: VectorWatcher,
    tell: Callable[[str], None],
    resume: bool = False,
    text_folder: Path | None = None,
    command: str = "",
) -> None:
    """Learn word vectors and write them.

    Args:
        path: the recipe.
        output: the pretrained folder; the run folder stands beside it, with ``.run`` behind its name.
        watcher: hears the words passed, and of every epoch.
        tell: hears what a person should read once.
        resume: go on from the checkpoint of the run folder, which is that of the last whole epoch.
        text_folder: where the text is kept once it was read; in the run folder where None.
        command: the command line, for the card.

    Raises:
        UsageError, ConfigError, DataError, TrainingError: as the parts do.
    """
    recipe = load_vector_recipe(path)
    check_replaceable(output, KNOWN_FILES)
    run = run_folder(output, resume=resume)
    folder = text_folder or run / "text"
    text = read_text(recipe.text, recipe.reading, folder, base=path.parent, tell=tell, resume=resume)
    trainer = VectorTrainer(recipe, text, run)
    if resume:
        trainer.resume()
    (run / "resolved.toml").write_text(recipe_toml(recipe), encoding="utf-8")
    trainer.run(watcher)
    vectors, rows = trainer.vectors(), trainer.state.history
    metrics = {
        "words_learnt": trainer.total_words,
        "vocabulary": len(vectors.vocab.words),
        "width": recipe.vectors.width,
        "held_out_loss": rows[-1].held_out_loss,
        "hours": round(trainer.state.minutes / 60, 3),
        "history": rows,
    }
    files = {
        "vocab.json": vectors.vocab.to_json(),
        TENSORS: _pack({WORDS: torch.from_numpy(vectors.words)}),
        "metrics.json": _json(metrics),
        "recipe.toml": recipe_toml(recipe).encode(),
    }
    if vectors.subwords is not None:
        files[SUBWORDS] = _pack({BUCKETS: torch.from_numpy(vectors.subwords)})
    spec = _spec(recipe, "vectors", path, text=text, command=command)
    save_pretrained(output, spec, files)


def _pack(tensors: dict[str, Tensor]) -> bytes:
    """Tensors as they stand on disk; training goes on in single precision from there."""
    return save_tensors(pack_bytes(tensors, (WORDS, BUCKETS)))


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _spec(
    recipe: LmRecipe | VectorRecipe,
    what: Literal["vectors", "bilm", "charlm"],
    path: Path,
    *,
    text: Text,
    command: str,
    donor: Donor | None = None,
) -> PretrainedSpec:
    is_vectors = hasattr(recipe, "vectors")
    part = recipe.vectors if is_vectors else recipe.encoder  # type: ignore[union-attr]
    settings: dict[str, Setting] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in msgspec.to_builtins(part).items()
    }
    own = [CorpusSpec(source.source, source.licence) for source in text.sources.values()]
    texts = {spec.name: spec for spec in [*(donor.texts if donor else ()), *own]}
    return PretrainedSpec(
        name=recipe.name,
        what=what,
        language=recipe.language,
        licence=licence_of(recipe.licence, donor),
        tokenizer=TOKENIZER_ID,
        settings=settings,
        texts=tuple(texts.values()),
        medspan=medspan.__version__,
        seed=recipe.vectors.seed if is_vectors else recipe.pretrain.seed,  # type: ignore[union-attr]
        date=time.strftime("%Y-%m-%d"),
        command=command,
        recipe=hashlib.sha256(path.read_bytes()).hexdigest(),
        subwords=recipe.vectors.subwords if is_vectors else (0, 0),  # type: ignore[union-attr]
        description=recipe.description,
    )

"""A whole run of `medspan pretrain mlm`: recipe → run folder with text and log → folder of a transformer."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

import medspan
from medspan.errors import ConfigError, DataError, ModelError
from medspan.model.spec import CorpusSpec
from medspan.toml import recipe_toml
from medspan.train.folder import write_whole
from medspan.train.hub import CONFIG, TOKENIZER, open_hub_model
from medspan.train.pretrain.mlm import MlmTrainer
from medspan.train.pretrain.mlm_families import check_room, new_language_model, own_tensors, with_head
from medspan.train.pretrain.mlm_folder import MlmSpec, check_output, earlier_texts, save_language_model
from medspan.train.pretrain.mlm_pieces import learn_tokenizer, open_tokenizer
from medspan.train.pretrain.settings import check_mlm_recipe
from medspan.train.pretrain.text import read_text, source_path
from medspan.train.run import run_folder
from medspan.train.scorer import pick_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from medspan.model.session import Device
    from medspan.train.pretrain.mlm import MlmWatcher
    from medspan.train.pretrain.mlm_families import LanguageModel
    from medspan.train.pretrain.settings import MlmRecipe, NewConfig, TextConfig
    from medspan.train.pretrain.text import Text


class _Start(NamedTuple):
    """What a run starts from; ``digest`` is of weights (or the seed's) and tokenizer."""

    model: LanguageModel
    tokenizer: bytes
    digest: str
    spec: CorpusSpec | None = None
    texts: tuple[CorpusSpec, ...] = ()


def pretrain_mlm(
    recipe: MlmRecipe,
    output: Path,
    *,
    watcher: MlmWatcher,
    tell: Callable[[str], None],
    base: Path | None = None,
    device: Device = "auto",
    resume: bool = False,
    max_minutes: float | None = None,
    text_folder: Path | None = None,
    command: str = "",
) -> None:
    """Pretrain a transformer on text and write it.

    Args:
        recipe: what to learn.
        output: the folder to write; the run folder stands beside it, with ``.run`` behind its name.
        watcher: hears of every step and measurement.
        tell: hears what a person should read once.
        base: folder that relative paths of the recipe start from; the working folder where None.
        device: where to compute.
        resume: go on from the checkpoint of the run folder.
        max_minutes: stop after this time of learning and write what there is.
        text_folder: where the text is kept once it was read; in the run folder where None.
        command: the command line, for the card.

    Raises:
        UsageError, ConfigError, DataError, TrainingError, ModelError, MissingExtraError: as the parts do.
    """
    base = base or Path()
    check_mlm_recipe(recipe)
    chosen = pick_device(device)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    check_output(output, base / recipe.start if recipe.start else None)
    run = run_folder(output, resume=resume)
    folder = text_folder or run / "text"
    text = read_text(recipe.text, recipe.reading, folder, base=base, tell=tell, resume=resume)
    torch.manual_seed(recipe.mlm.seed)
    start = _new(recipe, recipe.new, text, run, base=base) if recipe.new else _opened(recipe, base, tell)
    tell(_describe(start.model))
    trainer = MlmTrainer(
        recipe, text, run, model=start.model, tokenizer=start.tokenizer, device=chosen, start=start.digest
    )
    if resume:
        trainer.resume()
    resolved = recipe_toml(recipe)
    (run / "resolved.toml").write_text(resolved, encoding="utf-8")
    trainer.run(watcher, max_minutes=max_minutes)
    save_language_model(
        output,
        _spec(trainer, start, base, command),
        start.model,
        tokenizer=start.tokenizer,
        history=trainer.state.history,
        recipe=resolved.encode("utf-8"),
    )


def _opened(recipe: MlmRecipe, base: Path, tell: Callable[[str], None]) -> _Start:
    """An encoder that is there."""
    found = open_hub_model(recipe.start or "", base=base, tell=tell)
    check_room(recipe.mlm.pieces, found.most_pieces)
    if recipe.mlm.objective == "permutation" and found.family != "xlnet":
        raise ConfigError(
            f"{recipe.name}: mlm.objective: 'permutation' is learnt by xlnet only; {found.name} is a "
            f"{found.family}, which learns 'mlm'"
        )
    cutter = open_tokenizer(found.tokenizer_json, str(found.folder / TOKENIZER))
    if max(cutter.tokenizer.get_vocab().values()) >= found.config.vocab_size:
        raise ModelError(
            f"{found.folder}: {TOKENIZER} has more pieces than the vocab_size of {CONFIG}; they do not "
            "belong together"
        )
    digest = hashlib.sha256(found.digest.encode() + found.tokenizer_json).hexdigest()
    texts = earlier_texts(found.folder)
    return _Start(with_head(found), found.tokenizer_json, digest, found.spec, texts)


def _new(recipe: MlmRecipe, config: NewConfig, text: Text, run: Path, *, base: Path) -> _Start:
    """A network with random weights; a tokenizer that was learnt stays in the run folder for later."""
    kept = run / TOKENIZER
    if config.tokenizer is not None:
        data = _read(base / config.tokenizer)
    elif kept.exists():
        data = kept.read_bytes()
    else:
        data = learn_tokenizer(config, text)
        write_whole(kept, data)
    where = config.tokenizer or str(kept)
    cutter = open_tokenizer(data, where)
    model = new_language_model(config, cutter, most_places=recipe.mlm.pieces, where=where)
    return _Start(model, data, hashlib.sha256(data).hexdigest())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); new.tokenizer names a tokenizer.json"
        ) from None


def _describe(model: LanguageModel) -> str:
    tensors = own_tensors(model.network)
    size = sum(tensor.numel() for tensor in tensors.values())
    fresh = f"; {len(model.fresh)} start at random"
    names = f": {', '.join(model.fresh)}" if 0 < len(model.fresh) < len(tensors) else ""
    return f"{model.family}: {size:,} parameters in {len(tensors)} tensors{fresh}{names}"


def _spec(trainer: MlmTrainer, start: _Start, base: Path, command: str) -> MlmSpec:
    recipe, state = trainer.recipe, trainer.state
    own = [
        CorpusSpec(source.source, source.licence, _digests(recipe.text[name], base))
        for name, source in trainer.text.sources.items()
    ]
    texts = {spec.name: spec for spec in [*start.texts, *own]}
    return MlmSpec(
        name=recipe.name,
        objective=recipe.mlm.objective,
        family=start.model.family,
        language=recipe.language,
        licence=recipe.licence,
        texts=tuple(texts.values()),
        start=start.spec,
        medspan=medspan.__version__,
        seed=recipe.mlm.seed,
        date=time.strftime("%Y-%m-%d"),
        command=command,
        recipe=hashlib.sha256(state.recipe.encode("utf-8")).hexdigest(),
        steps=state.step,
        words=state.words,
        pieces=state.pieces,
        parameters=sum(tensor.numel() for tensor in own_tensors(start.model.network).values()),
        held_out_loss=state.history[-1].held_out_loss,
        hours=round(state.minutes / 60, 3),
        description=recipe.description,
    )


def _digests(config: TextConfig, base: Path) -> dict[str, str]:
    """SHA-256 of a source's file, or of the names and files of its folder; none where it is gone by now."""
    try:
        path, _ = source_path(config, base)
        files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
        total = hashlib.sha256()
        for each in files:
            with each.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if path.is_file():
                return {config.split: digest}
            total.update(f"{each.relative_to(path).as_posix()} {digest}\n".encode())
    except (DataError, OSError):  # a run that is resumed needs only what it read
        return {}
    return {config.split: total.hexdigest()}

"""Recipes of pretraining: which text, and how to learn from it; checked as those of training."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from medspan.config import (
    BlstmCnn,
    CharBlstm,
    Count,
    NonNegativeFloat,
    Positive,
    PositiveFloat,
    Rate,
    Strict,
    TrainConfig,
    TransferConfig,
)
from medspan.errors import ConfigError
from medspan.toml import convert, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TextConfig(Strict, frozen=True):
    """Documents to learn from: a catalogue name, or a file or folder of your own."""

    source: str
    """A name of `medspan corpora list`, or a path (relative to the recipe)."""
    split: str = "train"
    """Split of a corpus that has splits, your own or one of the catalogue; a test split is refused."""
    format: str | None = None
    """Format of the files, where their names do not tell; text of the catalogue is read as blocks."""


class ReadingConfig(Strict, frozen=True):
    """How documents become sentences, and which words are known."""

    held_out: Rate = 0.01
    """Share of the documents that is not learnt from; perplexity is measured on them."""
    window: Positive = 200
    """Most words of a sentence; longer ones are cut."""
    min_count: Positive = 3
    """Normal forms met less often are unknown words."""
    most_words: Positive = 60_000
    """Words the vocabulary holds at most, by how often they stand in the text."""
    min_char_count: Positive = 20
    """Characters met less often are unknown ones."""
    most_forms: Positive = 3_000_000
    """Different words, as they stand in the text, that are told apart; it bounds the memory."""
    keep_leaks: bool = False
    """Keep sentences equal to a registered test sentence; the card says so."""


class PretrainConfig(Strict, frozen=True):
    """How a language model is learnt."""

    seed: Count = 13
    """Seed of every random choice."""
    epochs: Positive = 1
    """Passes over the text."""
    words: Count = 0
    """Words to learn from in all, 0 for all of all epochs; the learning rate falls towards their end."""
    batch_words: Positive = 2000
    """Padded words (characters, for charlm) a batch holds at most."""
    learning_rate: PositiveFloat = 2e-3
    """Highest learning rate."""
    warmup: Rate = 0.02
    """Share of all words in which the learning rate rises."""
    final_rate: Rate = 0.02
    """Learning rate at the end, as a share of the highest."""
    clip: PositiveFloat = 1.0
    """Largest gradient norm; larger ones are scaled down."""
    dropout: Rate = 0.1
    """Share of encoder outputs dropped before the language model's head."""
    word_dropout: Annotated[float, Meta(ge=0.0, le=1e9)] = 1.0
    """A word seen n times is replaced by the unknown word with probability w / (w + n)."""
    char_dropout: Rate = 0.005
    """Share of characters replaced by their unknown character."""
    negatives: Count = 1024
    """Words drawn for the sampled softmax of a batch, beside its own; 0 for the full softmax."""
    bfloat16: bool = False
    """Multiply in bfloat16 on a CPU too: faster where the processor can, slower where it cannot."""
    checkpoint_steps: Positive = 1000
    """Steps between checkpoints."""
    evaluate_words: Positive = 3_000_000
    """Words between measurements of held-out perplexity."""
    held_out_words: Positive = 15_000
    """Held-out words perplexity is measured on at most."""

    def optimiser(self) -> TrainConfig:
        """The same settings under the names the optimiser knows."""
        return TrainConfig(
            learning_rate=self.learning_rate,
            warmup=self.warmup,
            final_rate=self.final_rate,
            clip=self.clip,
        )


class VectorConfig(Strict, frozen=True):
    """How word vectors are learnt: skip-gram with subwords (Bojanowski et al. 2017)."""

    seed: Count = 13
    """Seed of every random choice; the vectors are the same again only with one thread."""
    width: Positive = 100
    """Width of the vectors: `word_width` of the encoders that start from them."""
    reach: Positive = 5
    """Words to either side that are predicted, at most."""
    epochs: Positive = 5
    """Passes over the text."""
    negatives: Positive = 5
    """Words drawn for each word predicted."""
    sample: Rate = 1e-4
    """Words more frequent than this share are skipped the more often, the more frequent they are."""
    learning_rate: PositiveFloat = 0.05
    """Learning rate at the start; it falls to nothing."""
    subwords: tuple[Count, Count] = (3, 5)
    """Lengths of the character n-grams that share vectors; (0, 0) for none."""
    buckets: Positive = 50_000
    """Vectors the n-grams share."""
    spread: PositiveFloat = 0.15
    """Root mean square of the numbers that are saved: the encoders' other features have about this size."""
    held_out_words: Positive = 5_000
    """Held-out words the loss is measured on at most, after every epoch."""


class NewConfig(Strict, frozen=True):
    """A transformer that starts at random, with a tokenizer learnt from the text."""

    family: Literal["xlnet", "bert"] = "xlnet"
    """Kind of network; xlnet has a Unigram tokenizer, bert one of WordPiece."""
    layers: Positive = 4
    """Layers."""
    width: Positive = 256
    """Width of the states; a multiple of `heads`, and for xlnet even."""
    heads: Positive = 4
    """Attention heads of a layer."""
    inner: Count = 0
    """Width of the feed-forward layers; 0 for four times `width`."""
    dropout: Rate = 0.1
    """Share of states, and of attention, dropped."""
    vocabulary: Positive = 16_000
    """Pieces of the tokenizer at most, the special ones included."""
    lower: bool = False
    """Whether the tokenizer makes letters small."""
    tokenizer: str | None = None
    """A tokenizer.json to use (relative to the recipe); one is learnt from the text where absent."""


class MlmConfig(Strict, frozen=True):
    """How a transformer is pretrained: by words that are hidden from it."""

    objective: Literal["mlm", "permutation"] = "mlm"
    """Masked words (Devlin et al. 2019), or the permutation language model of XLNet (Yang et al. 2019)."""
    seed: Count = 13
    """Seed of every random choice."""
    epochs: Positive = 1
    """Passes over the text."""
    words: Count = 0
    """Words to learn from in all, 0 for all of all epochs; the learning rate falls towards their end."""
    pieces: Annotated[int, Meta(ge=8, le=8192)] = 128
    """Pieces of a block, the special ones included: as many sentences as fit."""
    batch_blocks: Positive = 16
    """Blocks that are computed at once."""
    accumulate: Positive = 1
    """Batches a step learns from: it is the same step as one of so many times the blocks."""
    masked: Annotated[float, Meta(gt=0.0, le=0.5)] = 0.15
    """Share of the words of a block that are predicted, all their pieces."""
    longest_run: Count = 0
    """Words predicted side by side at most, short runs more often than long ones; 0 for 1 (mlm) or 5."""
    learning_rate: PositiveFloat | None = None
    """Highest learning rate; 1e-4 where absent, 5e-4 for a new network."""
    warmup: Rate = 0.06
    """Share of all words in which the learning rate rises."""
    final_rate: Rate = 0.02
    """Learning rate at the end, as a share of the highest; it falls as half a cosine."""
    weight_decay: NonNegativeFloat = 0.01
    """Decay of the weights that multiply, a step, as a factor of the learning rate."""
    clip: PositiveFloat = 1.0
    """Largest gradient norm; larger ones are scaled down."""
    bfloat16: bool = False
    """Multiply in bfloat16 on a CPU too: faster where the processor can, slower where it cannot."""
    checkpoint_steps: Positive = 500
    """Steps between checkpoints."""
    evaluate_steps: Positive = 500
    """Steps between measurements of the held-out loss."""
    held_out_words: Positive = 15_000
    """Held-out words the loss is measured on at most."""

    def optimiser(self, *, is_new: bool) -> TrainConfig:
        """The same settings under the names the optimiser knows; ``is_new``: the network starts at random."""
        return TrainConfig(
            learning_rate=self.learning_rate or (5e-4 if is_new else 1e-4),
            warmup=self.warmup,
            final_rate=self.final_rate,
            weight_decay=self.weight_decay,
            clip=self.clip,
        )


class LmRecipe(Strict, frozen=True):
    """A whole run of `medspan pretrain bilm` or `charlm`."""

    name: str
    encoder: BlstmCnn | CharBlstm
    text: dict[str, TextConfig]
    reading: ReadingConfig = ReadingConfig()
    pretrain: PretrainConfig = PretrainConfig()
    transfer: TransferConfig | None = None
    description: str = ""
    language: str = "en"
    licence: str = "Apache-2.0"
    threads: Positive | None = None


class VectorRecipe(Strict, frozen=True):
    """A whole run of `medspan pretrain vectors`."""

    name: str
    text: dict[str, TextConfig]
    reading: ReadingConfig = ReadingConfig()
    vectors: VectorConfig = VectorConfig()
    description: str = ""
    language: str = "en"
    licence: str = "Apache-2.0"
    threads: Positive | None = None


class MlmRecipe(Strict, frozen=True):
    """A whole run of `medspan pretrain mlm`: of a network that is there (``from``), or of a ``new`` one."""

    name: str
    text: dict[str, TextConfig]
    start: str | None = msgspec.field(name="from", default=None)
    new: NewConfig | None = None
    reading: ReadingConfig = ReadingConfig()
    mlm: MlmConfig = MlmConfig()
    description: str = ""
    language: str = "en"
    licence: str = "Apache-2.0"
    threads: Positive | None = None


def load_lm_recipe(path: Path, verb: str) -> LmRecipe:
    """Read and check a recipe of a language model.

    Args:
        path: the recipe.
        verb: ``bilm``, whose encoder sees words, or ``charlm``, whose encoder sees characters.

    Raises:
        ConfigError: naming the file, the key, and what is allowed there.
    """
    recipe = convert(read_toml(path), LmRecipe, str(path))
    wanted = CharBlstm if verb == "charlm" else BlstmCnn
    if not isinstance(recipe.encoder, wanted):
        kind, tag = recipe.encoder.__struct_config__.tag, wanted.__struct_config__.tag
        raise ConfigError(f"{path}: encoder.kind: is {kind!r}; medspan pretrain {verb} learns a {tag!r}")
    _check_text(recipe.text, path)
    return recipe


def load_vector_recipe(path: Path) -> VectorRecipe:
    """Read and check a recipe of word vectors.

    Raises:
        ConfigError: naming the file, the key, and what is allowed there.
    """
    recipe = convert(read_toml(path), VectorRecipe, str(path))
    _check_text(recipe.text, path)
    return recipe


class MlmChanges(NamedTuple):
    """Options of the command line, which take the place of what a recipe says; empty where not given."""

    start: str | None = None
    new: Mapping[str, object] = MappingProxyType({})
    mlm: Mapping[str, object] = MappingProxyType({})


_UNCHANGED = MlmChanges()


def load_mlm_recipe(path: Path, changes: MlmChanges = _UNCHANGED) -> MlmRecipe:
    """Read and check a recipe of a transformer; a start among the changes is relative to the working folder.

    Raises:
        ConfigError: naming the file, the key, and what is allowed there.
    """
    return _changed(read_toml(path), changes, path)


def mlm_recipe_of(
    texts: Sequence[str],
    name: str,
    changes: MlmChanges = _UNCHANGED,
) -> MlmRecipe:
    """The recipe of texts without one: files, folders, or names of corpora.

    Raises:
        ConfigError: naming the option and what is allowed there.
    """
    sources: dict[str, object] = {}
    for text in texts:
        key = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(text).name).strip("-") or "text"
        sources[key if key not in sources else f"{key}-{len(sources) + 1}"] = {"source": text}
    return _changed({"name": name, "text": sources}, changes, Path("medspan pretrain mlm"))


def _changed(raw: dict[str, Any], changes: MlmChanges, where: Path) -> MlmRecipe:
    """Of a start and a new network the one given on the command line goes first; both are one too many."""
    if changes.start is not None and not changes.new:
        raw = {key: value for key, value in raw.items() if key != "new"} | {"from": changes.start}
    elif changes.start is not None or "family" in changes.new:
        raw = {**raw, "from": changes.start}
    for key, part in (("new", changes.new), ("mlm", changes.mlm)):
        there = raw.get(key, {})
        if part and isinstance(there, dict):
            raw[key] = {**there, **part}
    recipe = convert(raw, MlmRecipe, str(where))
    _check_text(recipe.text, where)
    check_mlm_recipe(recipe)
    return recipe


def check_mlm_recipe(recipe: MlmRecipe) -> None:
    """Whether the parts of a recipe fit one another, options of the command line included.

    Raises:
        ConfigError: saying what to change.
    """
    if (recipe.start is None) == (recipe.new is None):
        raise ConfigError(
            f"{recipe.name}: give one thing to start from: a folder (--from, or from = in the recipe) or a "
            "new network (--new, or [new])"
        )
    new = recipe.new
    if new is not None and (new.width % new.heads or new.width % 2):
        raise ConfigError(
            f"{recipe.name}: new.width: {new.width} is no even multiple of new.heads ({new.heads})"
        )
    if new is not None and new.family != "xlnet" and recipe.mlm.objective == "permutation":
        raise ConfigError(
            f"{recipe.name}: mlm.objective: 'permutation' is learnt by xlnet only; {new.family} learns 'mlm'"
        )


def _check_text(text: dict[str, TextConfig], path: Path) -> None:
    if not text:
        raise ConfigError(f"{path}: text: name at least one source, as [text.NAME] with source = ...")

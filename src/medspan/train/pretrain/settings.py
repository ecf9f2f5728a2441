"""Recipes of pretraining: which text, and how to learn from it; checked as those of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from medspan.config import (
    BlstmCnn,
    CharBlstm,
    Count,
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
    from pathlib import Path


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


def _check_text(text: dict[str, TextConfig], path: Path) -> None:
    if not text:
        raise ConfigError(f"{path}: text: name at least one source, as [text.NAME] with source = ...")

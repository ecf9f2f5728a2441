"""What a recipe may say: an encoder, corpora, heads and how to optimise.

The structs below are the single source of every setting: type, default and one sentence each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from medspan.errors import ConfigError, did_you_mean
from medspan.toml import convert, read_toml

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1e9  # TOML knows inf, which no setting may be
Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Rate = Annotated[float, Meta(ge=0.0, lt=1.0)]
PositiveFloat = Annotated[float, Meta(gt=0.0, le=_LARGEST)]
NonNegativeFloat = Annotated[float, Meta(ge=0.0, le=_LARGEST)]
HEAD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a recipe; a key nobody knows is an error."""


class WordFeatureConfig(Strict, frozen=True):
    """What a word looks like by itself: settings of every encoder over words."""

    word_width: Positive = 100
    """Width of the word vectors."""
    char_width: Positive = 32
    """Width of the character vectors."""
    char_windows: tuple[Positive, ...] = (2, 3, 4)
    """Widths of the character filters, in characters."""
    char_filters: Positive = 48
    """Filters of each width."""
    case_width: Positive = 8
    """Width of the case vectors."""
    max_chars: Positive = 24
    """Characters of a word the CNN sees; of longer words the first and last halves of this number."""
    min_count: Positive = 2
    """Words seen less often in training share the vector of unknown words."""


class BlstmCnn(WordFeatureConfig, frozen=True, tag="blstm_cnn", tag_field="kind"):
    """Word vectors + character CNN + case features, then residual LSTM layers in both directions."""

    hidden_width: Positive = 200
    """Width of each direction of each LSTM layer."""
    layers: Annotated[int, Meta(ge=1, le=3)] = 1
    """LSTM layers a direction; from the second on their input is added to their output."""
    dropout: Rate = 0.5
    """Share of inputs dropped before each layer."""


class CharBlstm(Strict, frozen=True, tag="char_blstm", tag_field="kind"):
    """Characters only, a deep LSTM per direction, voting per word (system 0: 3 x 128)."""

    char_width: Positive = 128
    """Width of the character vectors."""
    hidden_width: Positive = 128
    """Width of each direction of each layer."""
    layers: Annotated[int, Meta(ge=1, le=4)] = 3
    """LSTM layers a direction."""
    dropout: Rate = 0.3
    """Share of inputs dropped before each layer."""
    max_chars: Positive = 32
    """Characters of a word that are read; of longer words the first and last halves of this number."""


class Window(WordFeatureConfig, frozen=True, tag="window", tag_field="kind"):
    """A feed-forward network over the k words to either side."""

    reach: Positive = 3
    """Words seen to either side."""
    hidden_width: Positive = 256
    """Width of each hidden layer."""
    layers: Positive = 2
    """Hidden layers."""
    dropout: Rate = 0.4
    """Share of inputs dropped before each layer."""


class Cnn(WordFeatureConfig, frozen=True, tag="cnn", tag_field="kind"):
    """Residual dilated convolutions over words."""

    hidden_width: Positive = 256
    """Channels of each layer."""
    dilations: tuple[Positive, ...] = (1, 2, 4, 1)
    """Distance between the words a layer looks at, a layer each."""
    dropout: Rate = 0.4
    """Share of inputs dropped before each layer."""


class Transformer(Strict, frozen=True, tag="transformer", tag_field="kind"):
    """A public transformer (BERT, RoBERTa, ELECTRA, MPNet, XLNet, ModernBERT) over word pieces."""

    source: str
    """A folder with config.json, model.safetensors and tokenizer.json (relative to the recipe); where there
    is none, a name of the Hugging Face hub, such as `xlnet/xlnet-base-cased`, which is fetched."""
    pieces: Literal["first", "mean"] = "first"
    """Which pieces of a word are read: the first, or the mean of all."""
    max_pieces: Annotated[int, Meta(ge=16)] = 512
    """Longest window in pieces, if the model can see as many; longer units are read in overlapping ones."""
    encoder_rate: Annotated[float, Meta(ge=0.0, le=10.0)] = 1.0
    """Learning rate of the top layer, as a factor; heads, which start afresh, learn at the full rate."""
    layer_decay: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    """Learning rate of each layer as a factor of that of the layer above it."""
    checkpointing: bool = False
    """Compute the states of layers anew in the backward pass: a third slower, far less memory."""
    dropout: Rate | None = None
    """Share dropped inside the layers; what the model was pretrained with, where absent."""
    frozen: Annotated[int, Meta(ge=0)] = 0
    """Levels that stay as they are, from below: 1 is the embeddings, 2 the lowest layer too, and so on."""
    bfloat16: bool = False
    """Compute the layers in bfloat16 on a CPU too, as on a GPU; quicker on CPUs with instructions for it."""

    @property
    def max_chars(self) -> int:
        """Characters of a word that are read: none, since its pieces are."""
        return 1


EncoderConfig = BlstmCnn | CharBlstm | Window | Cnn | Transformer


class CorpusConfig(Strict, frozen=True):
    """A corpus to learn from: a catalogue name, or a file or folder of your own."""

    source: str
    """A name of `medspan corpora list`, or a path (relative to the recipe)."""
    labels: dict[str, str] | None = None
    """Labels to keep, and what to call them; all, unchanged, where absent."""
    format: str | None = None
    """Format of the files, where their names do not tell."""
    train: str = "train"
    """Split, or a path, to learn from."""
    dev: str = "dev"
    """Split, or a path, that selects the checkpoint."""
    weight: PositiveFloat = 1.0
    """How often its sentences are seen in an epoch; 0.5 = every second epoch."""
    may_lack: bool = False
    """Whether its training split may hold no span of a label its heads predict: that nobody found one is then
    what they learn."""
    judges: bool = True
    """Whether its dev split chooses the checkpoint, as far as heads that learn from it ship."""


class HeadConfig(Strict, frozen=True):
    """A task on top of the encoder: one tag sequence over its own labels."""

    labels: tuple[str, ...]
    """Labels this head predicts."""
    corpora: tuple[str, ...]
    """Corpora that annotate all of these labels; the head learns from no other."""
    kind: Literal["crf", "softmax"] = "crf"
    """How tags are chosen: jointly for the sentence, or word by word."""
    level: int = -1
    """Encoder level the head reads; -1 is the last."""
    ships: bool = True
    """Whether the exported model keeps this head; a corpus that teaches none such chooses nothing on dev."""
    group: str | None = None
    """The entity type whose layer stands between the encoder and this head; none where absent."""
    begins_as: dict[str, str] = {}
    """Of labels the start does not have, the label of the start whose weights they begin with, where
    `transfer.heads` copies heads: a label that is another name, or another view, of a known one."""


class GroupConfig(Strict, frozen=True):
    """The layer of an entity type, which the heads of several corpora share."""

    width: Positive = 128
    """Width of its bottleneck."""


class TrainConfig(Strict, frozen=True):
    """How to optimise."""

    seed: Count = 13
    """Seed of every random choice."""
    epochs: Positive = 40
    """Most passes over the training sentences."""
    patience: Positive = 8
    """Epochs without a better dev score before training stops."""
    batch_words: Positive = 800
    """Padded words a batch holds at most."""
    accumulate: Positive = 1
    """Batches whose gradients are added before a step."""
    learning_rate: PositiveFloat = 2e-3
    """Highest learning rate."""
    warmup: Rate = 0.05
    """Share of all steps in which the learning rate rises."""
    final_rate: Rate = 0.05
    """Learning rate at the end, as a share of the highest."""
    weight_decay: NonNegativeFloat = 0.0
    """Decoupled weight decay of all weights but embeddings."""
    clip: PositiveFloat = 5.0
    """Largest gradient norm; larger ones are scaled down."""
    average: Rate = 0.0
    """Decay of the running average of the weights that is scored and kept; 0 keeps the weights themselves."""
    head_dropout: Rate = 0.5
    """Share of encoder outputs dropped before each head."""
    word_dropout: NonNegativeFloat = 0.5
    """A word seen n times is replaced by the unknown word with probability w / (w + n)."""
    char_dropout: Rate = 0.01
    """Share of characters replaced by their unknown character."""
    narrow_first: bool = False
    """Narrow the first layer (`export.input_rank`) before training instead of after it, so that what it loses
    is learnt anew."""
    checkpoint_steps: Positive = 200
    """Steps between checkpoints; one is also written after every epoch."""
    resumable: bool = True
    """Whether checkpoints are written; a run of minutes starts anew sooner than it writes its weights each
    epoch."""
    max_misaligned: Rate = 0.05
    """Share of gold spans off word borders above which training refuses to start."""
    max_leaked: Rate = 0.05
    """Share of sentences equal to a registered test sentence above which training refuses to start."""
    sampling: Literal["proportional", "temperature", "uniform", "need"] = "proportional"
    """How often each corpus is seen: by its size; by its size to the power 1 / `sampling_temperature`; all as
    often; or by its size and what its last dev F1 lacks to 1. `weight` of a corpus multiplies."""
    sampling_temperature: PositiveFloat = 2.0
    """Of `temperature`: 1 is by size, larger ones are nearer to all as often."""
    conflict_sentences: Count = 0
    """Sentences of each corpus on which the gradients of the shared encoder are compared after every epoch
    (`conflict` in metrics.jsonl); 0 compares none."""
    score_start: bool = False
    """Score the weights before the first step too, and keep them if no epoch is better."""
    dev_share: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    """Share of the dev documents that are scored after an epoch, where scoring takes long; the finished model
    is scored on all."""
    keep_leaks: bool = False
    """Keep such sentences, as a study of a published protocol may; the model card says so."""


class WindowConfig(Strict, frozen=True):
    """How long sentences are cut into overlapping windows."""

    words: Positive = 200
    """Most words of a window."""
    overlap: Count = 40
    """Words two windows share."""


class ExportConfig(Strict, frozen=True):
    """What the model folder holds."""

    half: bool = True
    """Keep large weights as float16 on disk; the model that is proved and scored is the rounded one."""
    word_bits: Literal[8, 16] = 16
    """Bits of a number of the word table where `half` holds, and of a transformer those of all its matrices:
    eight make them half as large on disk, and the table less in memory."""
    input_rank: Count = 0
    """Directions of the word features the first layer reads, 0 for all; fewer make the model faster."""
    keep_weights: bool = True
    """Keep model.safetensors, which only further training needs."""
    most_words: Count = 0
    """Words the table keeps at most, 0 for all; those of the training text always stay, others by use."""
    overlap: Literal["all", "longest", "best"] = "all"
    """Which of overlapping entities of different heads are kept."""
    beside: str = ""
    """A model by name, such as `default`, whose entities are found together with those of this one."""


class TransferConfig(Strict, frozen=True):
    """Where the encoder starts: tensors of another model are copied by name."""

    source: str = msgspec.field(name="from")
    """A folder `medspan pretrain` wrote, a model folder, or the name of a model, such as `default`."""
    encoder_rate: Annotated[float, Meta(ge=0.0, le=10.0)] = 1.0
    """Learning rate of copied tensors, as a factor; 0 never changes them."""
    word_rate: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.3
    """The same for a copied table of words, on top of `encoder_rate`: words of the training text that move
    far leave those it lacks behind."""
    heads: bool = False
    """Copy layers of entity types that have the same names, and heads by their labels, too."""
    freeze_epochs: Count = 0
    """Epochs before the top copied layer learns; each layer below waits as many more (gradual unfreezing)."""


class FinetuneConfig(Strict, frozen=True):
    """How `medspan finetune` goes on with one head of a model of many; other settings stand in [train]."""

    epochs: Positive = 12
    """Most passes over the sentences of the head's corpora."""
    patience: Positive = 5
    """Epochs without a better dev score before a run stops."""
    learning_rate: PositiveFloat = 5e-4
    """Highest learning rate."""
    encoder_rate: Annotated[float, Meta(ge=0.0, le=10.0)] = 1.0
    """Learning rate of the encoder, as a factor."""
    word_rate: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.3
    """The same for the table of words, on top of `encoder_rate`."""
    helpers: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.0
    """How often the other corpora of the head's group are seen beside its own, as a factor of their weights;
    their dev splits choose nothing."""
    average: Rate = 0.998
    """Decay of the running average of the weights, here and in the run of the head alone."""
    single_epochs: Positive = 30
    """Most epochs of the run of the head alone, which starts where the recipe does."""
    single_patience: Positive = 10
    """Its patience."""
    margin: Annotated[float, Meta(ge=0.0)] = 1.0
    """By how many standard errors it must be better on dev to be kept: a lead that chance may give is none
    (after the rule of one standard error of Breiman et al. 1984); 0 keeps whatever is best."""


class DistilConfig(Strict, frozen=True):
    """How `medspan distil` teaches; `medspan train` leaves this part aside."""

    epochs: Positive = 8
    """Epochs of the first stage, on soft sentences (those the teachers labelled) mixed with gold ones."""
    words: Count = 1_000_000
    """Words of soft sentences in such an epoch, drawn anew for each; 0 for all."""
    soft_weight: PositiveFloat = 1.0
    """Weight of the loss of a soft sentence."""
    gold_weight: NonNegativeFloat = 1.0
    """How often gold sentences are seen in such an epoch, as a factor of the weights of their corpora."""
    keep_empty: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0
    """Share of the soft sentences without a likely mention that is drawn."""
    gold_epochs: Count = 4
    """Most epochs of the second stage, on gold sentences alone."""
    gold_rate: PositiveFloat = 0.25
    """Highest learning rate of the second stage, as a share of `train.learning_rate`."""
    text_words: Count = 0
    """Words of the unlabelled text that join the vocabulary at most, the most frequent ones."""
    gold_heads: tuple[str, ...] = ()
    """Heads that learn from gold alone; teachers may mean something else by their labels."""


class Recipe(Strict, frozen=True):
    """A whole training run."""

    name: str
    encoder: EncoderConfig
    corpora: dict[str, CorpusConfig]
    heads: dict[str, HeadConfig]
    groups: dict[str, GroupConfig] = {}
    train: TrainConfig = TrainConfig()
    window: WindowConfig = WindowConfig()
    export: ExportConfig = ExportConfig()
    transfer: TransferConfig | None = None
    finetune: FinetuneConfig = FinetuneConfig()
    distil: DistilConfig | None = None
    description: str = ""
    language: str = "en"
    licence: str = "Apache-2.0"
    threads: Positive | None = None


TRAINED_PARTS = ("encoder", "corpora", "heads", "groups", "train", "window", "transfer")
"""Parts of a recipe that decide what the weights are."""


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        ConfigError: naming the file, the key, and what is allowed there.
    """
    return parse_recipe(read_toml(path), str(path))


def parse_recipe(raw: dict[str, Any], where: str) -> Recipe:
    """Check a recipe that is already a dict; ``where`` names it in errors."""
    recipe = convert(raw, Recipe, where)
    _check_references(recipe, where)
    return recipe


def _check_references(recipe: Recipe, where: str) -> None:
    """Heads name corpora that exist; every corpus serves a head; windows can advance."""
    if not any(head.ships for head in recipe.heads.values()):
        raise ConfigError(f"{where}: heads: give at least one head that ships")
    for name, head in recipe.heads.items():
        _check_head(f"{where}: heads.{name}", name, head)
        for corpus in head.corpora:
            if corpus not in recipe.corpora:
                hint = did_you_mean(corpus, recipe.corpora)
                raise ConfigError(
                    f"{where}: heads.{name}.corpora: no corpus {corpus!r} in this recipe; {hint}"
                )
    _check_groups(recipe, where)
    _check_gold_heads(recipe, where)
    used = {corpus for head in recipe.heads.values() for corpus in head.corpora}
    for name in recipe.corpora:
        if name not in used:
            raise ConfigError(
                f"{where}: corpora.{name}: no head learns from it; name it in a head or remove it"
            )
    if recipe.window.overlap * 2 >= recipe.window.words:
        raise ConfigError(
            f"{where}: window.overlap: must be below half of window.words ({recipe.window.words})"
        )


def _check_gold_heads(recipe: Recipe, where: str) -> None:
    """Heads that no teacher teaches are there, and others too."""
    names = recipe.distil.gold_heads if recipe.distil else ()
    for name in names:
        if name not in recipe.heads:
            raise ConfigError(
                f"{where}: distil.gold_heads: no head {name!r}; {did_you_mean(name, recipe.heads)}"
            )
    if set(names) >= set(recipe.heads):
        raise ConfigError(f"{where}: distil.gold_heads: leave at least one head to the teachers")


def _check_groups(recipe: Recipe, where: str) -> None:
    """Every entity type a head names has a layer, every layer has heads, and these read one level."""
    levels: dict[str, set[int]] = {name: set() for name in recipe.groups}
    for name, head in recipe.heads.items():
        if head.group is None:
            continue
        if head.group not in levels:
            raise ConfigError(
                f"{where}: heads.{name}.group: no [groups.{head.group}] in this recipe; "
                f"{did_you_mean(head.group, recipe.groups)}"
            )
        levels[head.group].add(head.level)
    for name, found in levels.items():
        if not HEAD_NAME.fullmatch(name):
            raise ConfigError(
                f"{where}: groups.{name}: the name may hold letters, digits, _ and -, and starts with no mark"
            )
        if len(found) != 1:
            problem = "its heads read several levels" if found else "no head names it as its group"
            raise ConfigError(f"{where}: groups.{name}: {problem}")


def _check_head(place: str, name: str, head: HeadConfig) -> None:
    """What a model folder would refuse only after training is refused here."""
    if not HEAD_NAME.fullmatch(name):
        raise ConfigError(f"{place}: the name may hold letters, digits, _ and -, and starts with no mark")
    if not head.labels or not head.corpora:
        raise ConfigError(f"{place}: give at least one label and one corpus")
    for key, values in (("labels", head.labels), ("corpora", head.corpora)):
        if len(set(values)) != len(values) or "" in values:
            raise ConfigError(f"{place}.{key}: holds a name twice or an empty one")

"""Recipes: TOML → frozen structs, strictly.

A recipe says what to train: an encoder, corpora, heads and how to optimise. Unknown keys and wrong types are
errors that name the file, the key and the nearest known one. The structs below are the single source of
every setting: type, default and one sentence each.
"""

from __future__ import annotations

import re
import tomllib
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from medspan.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1e9  # TOML knows inf, which no setting may be
Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Rate = Annotated[float, Meta(ge=0.0, lt=1.0)]
PositiveFloat = Annotated[float, Meta(gt=0.0, le=_LARGEST)]
NonNegativeFloat = Annotated[float, Meta(ge=0.0, le=_LARGEST)]
HEAD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_AnyRecipe = TypeVar("_AnyRecipe", bound=msgspec.Struct)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


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

    @property
    def max_chars(self) -> int:
        """Characters of a word that are read: none, since its pieces are."""
        return 1


EncoderConfig = BlstmCnn | CharBlstm | Window | Cnn | Transformer
_ENCODER_KIND = Literal["blstm_cnn", "char_blstm", "window", "cnn", "transformer"]


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
    """Whether the exported model keeps this head."""


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
    max_misaligned: Rate = 0.05
    """Share of gold spans off word borders above which training refuses to start."""
    max_leaked: Rate = 0.05
    """Share of sentences equal to a registered test sentence above which training refuses to start."""
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


class TransferConfig(Strict, frozen=True):
    """Where the encoder starts: tensors of another model are copied by name."""

    source: str = msgspec.field(name="from")
    """A folder `medspan pretrain` wrote, or a model folder that holds model.safetensors."""
    encoder_rate: Annotated[float, Meta(ge=0.0, le=10.0)] = 1.0
    """Learning rate of copied tensors, as a factor; 0 never changes them."""
    word_rate: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.3
    """The same for a copied table of words, on top of `encoder_rate`: words of the training text that move
    far leave those it lacks behind."""
    freeze_epochs: Count = 0
    """Epochs before the top copied layer learns; each layer below waits as many more (gradual unfreezing)."""


class Recipe(Strict, frozen=True):
    """A whole training run."""

    name: str
    encoder: EncoderConfig
    corpora: dict[str, CorpusConfig]
    heads: dict[str, HeadConfig]
    train: TrainConfig = TrainConfig()
    window: WindowConfig = WindowConfig()
    export: ExportConfig = ExportConfig()
    transfer: TransferConfig | None = None
    description: str = ""
    language: str = "en"
    licence: str = "Apache-2.0"
    threads: Positive | None = None


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        ConfigError: naming the file, the key, and what is allowed there.
    """
    return parse_recipe(read_toml(path), str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a recipe, unchecked.

    Raises:
        ConfigError: if there is no such file or it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such recipe; give the path of a .toml file") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give the path of a .toml file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def parse_recipe(raw: dict[str, Any], where: str) -> Recipe:
    """Check a recipe that is already a dict; ``where`` names it in errors."""
    recipe = convert(raw, Recipe, where)
    _check_references(recipe, where)
    return recipe


def convert(raw: dict[str, Any], kind: type[_AnyRecipe], where: str) -> _AnyRecipe:
    """A recipe of some kind from its tables; ``where`` names it in errors.

    Raises:
        ConfigError: naming ``where``, the key, and what is allowed there.
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explain(str(error), raw, kind)}") from None


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


def _check_head(place: str, name: str, head: HeadConfig) -> None:
    """What a model folder would refuse only after training is refused here."""
    if not HEAD_NAME.fullmatch(name):
        raise ConfigError(f"{place}: the name may hold letters, digits, _ and -, and starts with no mark")
    if not head.labels or not head.corpora:
        raise ConfigError(f"{place}: give at least one label and one corpus")
    for key, values in (("labels", head.labels), ("corpora", head.corpora)):
        if len(set(values)) != len(values) or "" in values:
            raise ConfigError(f"{place}.{key}: holds a name twice or an empty one")


def _explain(message: str, raw: dict[str, Any], root: type) -> str:
    """Turn a msgspec message into `key.path: problem; hint`."""
    problem, _, path = message.partition(" - at `$")
    keys, kind = _walk(path.rstrip("`"), raw, root)
    unknown = re.search(r"unknown field `([^`]+)`", problem)
    if unknown:
        known = [field.encode_name for field in msgspec.structs.fields(kind)]
        return f"{'.'.join([*keys, _key(unknown[1])])}: unknown key; {did_you_mean(unknown[1], known)}"
    missing = re.search(r"missing required field `([^`]+)`", problem)
    if missing:
        return f"{'.'.join([*keys, missing[1]])}: required key is missing"
    place = ".".join(keys) or "recipe"
    wrong = re.search(r"[Ii]nvalid (?:enum )?value '(.*)'", problem)
    if wrong:
        return f"{place}: {wrong[1]!r} is not allowed; {did_you_mean(wrong[1], typing.get_args(kind))}"
    problem = problem.replace("`object`", "`table`")
    return f"{place}: {problem[:1].lower()}{problem[1:]}"


def _walk(path: str, raw: dict[str, Any], root: type) -> tuple[list[str], Any]:
    """The keys along a path of msgspec and the type at its end.

    msgspec writes ``[...]`` for any key of a table; the key is the first whose value does not convert.
    """
    kind: Any = root
    value: Any = raw
    keys: list[str] = []
    for name, index in _STEP.findall(path):
        if index == "...":
            kind = typing.get_args(kind)[1]
            key = next(key for key, item in value.items() if not _converts(item, kind))
            keys.append(_key(key))
            value = value[key]
        elif index:
            kind = typing.get_args(kind)[0]
            keys[-1] += f"[{index}]"
            value = value[int(index)]
        else:
            kind = _field_type(kind, name)
            keys.append(name)
            value = value.get(name)
        kind = _chosen(kind, value)
    return keys, kind


def _field_type(kind: Any, name: str) -> Any:  # noqa: ANN401 - a struct type and the type of its field
    found = [field.type for field in msgspec.structs.fields(kind) if field.encode_name == name]
    return found[0] if found else _ENCODER_KIND  # the tag of a union stands in no field


def _converts(value: Any, kind: Any) -> bool:  # noqa: ANN401 - any TOML value and type
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _chosen(kind: Any, value: Any) -> Any:  # noqa: ANN401 - any type
    """Of a union, the struct whose tag the value names, else its first type."""
    if not isinstance(kind, types.UnionType):
        return kind
    wanted = value.get("kind", "") if isinstance(value, dict) else ""
    members = typing.get_args(kind)
    return next((member for member in members if _tag_of(member) == wanted), members[0])


def _tag_of(kind: Any) -> Any:  # noqa: ANN401 - a struct type or None
    config = getattr(kind, "__struct_config__", None)
    return config.tag if config else None


def recipe_toml(recipe: msgspec.Struct) -> str:
    """The resolved recipe, every default written out, as TOML."""
    lines: list[str] = []
    _write_table(msgspec.to_builtins(recipe), [], lines)
    return "\n".join(lines).lstrip("\n") + "\n"


def _write_table(table: dict[str, Any], path: list[str], lines: list[str]) -> None:
    """Scalars and arrays first, then sub-tables: the order TOML asks for."""
    scalars = {k: v for k, v in table.items() if v is not None and not isinstance(v, dict)}
    if path:
        lines.extend(["", "[" + ".".join(_key(part) for part in path) + "]"])
    lines.extend(f"{_key(k)} = {_value(v)}" for k, v in scalars.items())
    for key, value in table.items():
        if isinstance(value, dict):
            _write_table(value, [*path, key], lines)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any) -> str:  # noqa: ANN401 - any TOML value
    """A TOML value; JSON strings, numbers and arrays are valid TOML."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007F")  # which TOML wants escaped

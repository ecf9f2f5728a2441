"""What a model is, as its ``config.json`` says it.

The structs below are the single source of the format. Decoding is strict: an unknown key, a wrong type or a
value out of range is a ``ModelError`` that names the file and the key. Older formats are migrated step by
step.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from medspan.config import HEAD_NAME
from medspan.errors import ModelError, did_you_mean
from medspan.tags import iobes_tags

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT_VERSION = 4

EncoderKind = Literal["blstm_cnn", "char_blstm", "window", "cnn", "transformer"]
OverlapPolicy = Literal["all", "longest", "best"]
Setting = bool | int | float | str | tuple[int, ...]
Positive = Annotated[int, Meta(ge=1)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of ``config.json``; a key nobody knows is an error."""


class EncoderSpec(_Strict, frozen=True):
    """Which encoder the graph holds, and the settings it was built from."""

    kind: EncoderKind
    settings: dict[str, Setting] = {}


class HeadSpec(_Strict, frozen=True):
    """One tag head: its labels, how it decodes, and which corpora taught it."""

    name: str
    labels: tuple[str, ...]
    kind: Literal["crf", "softmax"] = "crf"
    temperature: Annotated[float, Meta(gt=0)] = 1.0
    corpora: tuple[str, ...] = ()
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.0

    @property
    def tags(self) -> list[str]:
        """The tags of the last axis of this head's emissions, in order."""
        return iobes_tags(self.labels)

    @property
    def output(self) -> str:
        """Name of the graph's output for this head."""
        return f"emissions.{self.name}"


class WindowSpec(_Strict, frozen=True):
    """How long sentences are cut; both in words."""

    words: Positive = 200
    overlap: Annotated[int, Meta(ge=0)] = 40


class CorpusSpec(_Strict, frozen=True):
    """A corpus the model learnt from: its licence and the SHA-256 of each split that was used."""

    name: str
    licence: str
    splits: dict[str, Digest] = {}


class FormSpec(_Strict, frozen=True):
    """The part of a model that sees each distinct word by itself, ``forms.onnx``.

    ``inputs`` are the arrays it takes (features/batch.py), ``width`` the size of the states it gives.
    """

    inputs: tuple[str, ...]
    width: Positive


class TeacherSpec(_Strict, frozen=True):
    """A model that taught this one what it says of unlabelled text.

    ``model`` is the digest of its folder (`medspan.model.store.StoredModel.digest`), ``weight`` how much it
    counts beside others, ``corpora`` what it had learnt from itself.
    """

    name: str
    licence: str
    model: Digest
    weight: float = 1.0
    corpora: tuple[CorpusSpec, ...] = ()


class Provenance(_Strict, frozen=True):
    """How the model came to be: enough to repeat it.

    ``start`` is what the encoder started from, with its digest; ``texts`` is what that was learnt from.
    ``teachers`` taught it on ``unlabelled`` text.
    """

    medspan: str
    torch: str
    seed: int
    date: str
    command: str
    recipe: Digest
    corpora: tuple[CorpusSpec, ...] = ()
    start: CorpusSpec | None = None
    texts: tuple[CorpusSpec, ...] = ()
    teachers: tuple[TeacherSpec, ...] = ()
    unlabelled: tuple[CorpusSpec, ...] = ()


class ModelSpec(_Strict, frozen=True):
    """The whole of ``config.json``.

    ``files`` maps each other file of the folder to its SHA-256; ``medspan.model.store`` fills it in.
    ``forms`` is absent where ``model.onnx`` does the work of the form network too.
    ``overlap`` says which of overlapping entities of different heads are kept.
    ``beside`` names a model whose entities `medspan.load` adds to those of this one.

    Raises:
        ModelError: if heads or inputs are missing, doubled or badly named, or windows cannot advance.
    """

    name: str
    language: str
    encoder: EncoderSpec
    heads: tuple[HeadSpec, ...]
    tokenizer: str
    inputs: tuple[str, ...]
    provenance: Provenance
    licence: str
    description: str = ""
    forms: FormSpec | None = None
    window: WindowSpec = WindowSpec()
    overlap: OverlapPolicy = "all"
    beside: str = ""
    files: dict[str, Digest] = {}
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        names = [head.name for head in self.heads]
        _check_unique("heads", names)
        _check_unique("inputs", list(self.inputs))
        for head in self.heads:
            if not HEAD_NAME.fullmatch(head.name):
                raise ModelError(f"heads: the name {head.name!r} is not letters, digits, _ and -")
            _check_unique(f"heads.{head.name}.labels", list(head.labels))
        if self.window.overlap * 2 >= self.window.words:
            raise ModelError(f"window.overlap: must be below half of window.words ({self.window.words})")

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels of all heads, each once, in order."""
        return tuple(dict.fromkeys(label for head in self.heads for label in head.labels))

    def replace(self, **changes: Any) -> ModelSpec:  # noqa: ANN401 - the fields have different types
        """A copy with some fields changed, checked anew."""
        return msgspec.structs.replace(self, **changes)

    def to_json(self) -> bytes:
        """The text of ``config.json``, every key written out."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def _check_unique(key: str, names: list[str]) -> None:
    if not names:
        raise ModelError(f"{key}: must name at least one")
    if len(set(names)) != len(names) or "" in names:
        raise ModelError(f"{key}: holds a name twice or an empty one")


def _name_language(config: dict[str, Any]) -> dict[str, Any]:
    """Version 0, of drafts before the first release, said ``lang`` for ``language``."""
    migrated = {key: value for key, value in config.items() if key != "lang"}
    return {**migrated, "language": config.get("lang", "en")}


def _keep_one_graph(config: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had one graph for words and context; it still runs as one, only slower."""
    return {**config, "forms": None}


def _keep_as_it_is(config: dict[str, Any]) -> dict[str, Any]:
    """Version 2 had no encoders over word pieces and no teachers in provenance, version 3 no ``beside``."""
    return config


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    0: _name_language,
    1: _keep_one_graph,
    2: _keep_as_it_is,
    3: _keep_as_it_is,
}
"""From each older format version to the next one; a test keeps a config of every version readable."""


def parse_spec(data: bytes, where: str) -> ModelSpec:
    """Read ``config.json``, migrating an older format.

    Args:
        data: the file's bytes.
        where: the file's path, for messages.

    Raises:
        ModelError: naming file and key, if it is not the config of a model or of a newer format.
    """
    try:
        config = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{where}: not valid JSON ({error}); the model folder is damaged") from None
    migrated = _migrate(config, where)
    try:
        return msgspec.convert(migrated, ModelSpec)
    except msgspec.ValidationError as error:
        raise ModelError(f"{where}: {_explain(str(error))}") from None
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from None


def _migrate(config: object, where: str) -> dict[str, Any]:
    version = config.get("format_version") if isinstance(config, dict) else None
    if isinstance(config, dict) and config.get("kind") == "pretrained":
        raise ModelError(
            f"{where}: is of weights to start from, not of a model; name them in [transfer] of a recipe, "
            "or with medspan train --from"
        )
    if not isinstance(config, dict) or type(version) is not int or version < 0:
        raise ModelError(
            f"{where}: format_version: must be a number from 0; this is not the config of a model"
        )
    if version > FORMAT_VERSION:
        raise ModelError(
            f"{where}: format_version: is {version}, this medspan reads up to {FORMAT_VERSION}; "
            "the model was made by a newer medspan; upgrade with: pip install -U medspan"
        )
    for older in range(version, FORMAT_VERSION):
        config = {**MIGRATIONS[older](config), "format_version": older + 1}
    return config


def _explain(message: str) -> str:
    """``Object contains unknown field `x` - at `$.heads[0]` `` → ``heads[0].x: unknown key; ...``."""
    problem, _, path = message.partition(" - at `$")
    place = path.rstrip("`").lstrip(".")
    if unknown := re.search(r"unknown field `([^`]+)`", problem):
        hint = did_you_mean(unknown[1], _keys_at(place))
        return f"{'.'.join(filter(None, [place, unknown[1]]))}: unknown key; {hint}"
    if missing := re.search(r"missing required field `([^`]+)`", problem):
        return f"{'.'.join(filter(None, [place, missing[1]]))}: required key is missing"
    return f"{place or 'config'}: {problem[:1].lower()}{problem[1:]}"


def _keys_at(place: str) -> list[str]:
    parts: dict[str, type[msgspec.Struct]] = {
        "encoder": EncoderSpec,
        "heads[]": HeadSpec,
        "forms": FormSpec,
        "window": WindowSpec,
        "provenance": Provenance,
        "provenance.corpora[]": CorpusSpec,
        "provenance.teachers[]": TeacherSpec,
    }
    return [
        field.name for field in msgspec.structs.fields(parts.get(re.sub(r"\[.*?\]", "[]", place), ModelSpec))
    ]

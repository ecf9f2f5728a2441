"""The folder of a relation model: what its ``config.json`` says, read and written as a whole.

``config.json`` (``"kind": "relations"``), ``vocab.json``, ``forms.onnx`` (words alone), ``model.onnx``
(sentences and the pairs in them → scores), ``decoder.safetensors`` (of a model that points), ``golden.json``
(invented documents and their relations), ``metrics.json``, ``README.md``, ``recipe.toml``,
``model.safetensors``. Digests are checked as files are read, as in the folder of a tagger.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from medspan.errors import ModelError
from medspan.features.views import ViewSpec
from medspan.model.spec import Digest, EncoderSpec, FormSpec, Provenance, WindowSpec
from medspan.model.store import CONFIG, check_replaceable, read_inside, write_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

GRAPH = "model.onnx"
DECODER = "decoder.safetensors"
_NEEDED = ("vocab.json", GRAPH)
KNOWN_FILES = (
    *(CONFIG, *_NEEDED, "forms.onnx", DECODER, "golden.json", "metrics.json", "README.md"),
    *("recipe.toml", "model.safetensors"),
)
RelationKind = Literal["pairs", "pointers"]


class RelationSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of ``config.json``.

    ``negatives`` says whether two mentions may be unrelated; ``none_bias`` is added to the score of that.
    """

    name: str
    what: RelationKind
    language: str
    licence: str
    labels: tuple[str, ...]
    views: ViewSpec
    encoder: EncoderSpec
    tokenizer: str
    inputs: tuple[str, ...]
    provenance: Provenance
    negatives: bool = True
    none_bias: float = 0.0
    forms: FormSpec | None = None
    window: WindowSpec = WindowSpec()
    description: str = ""
    files: dict[str, Digest] = {}
    kind: Literal["relations"] = "relations"
    format_version: Literal[1] = 1

    @property
    def classes(self) -> tuple[str, ...]:
        """What a pair can be; the first is empty where it may be nothing."""
        return ("", *self.labels) if self.negatives else self.labels


class RelationModel(NamedTuple):
    """An opened folder of a relation model."""

    path: Path
    spec: RelationSpec

    def read(self, name: str) -> bytes:
        """The bytes of a file, which are those the model was saved with.

        Raises:
            ModelError: if there is no such file, or it is missing, changed, or outside the folder.
        """
        if name not in self.spec.files:
            raise ModelError(f"{self.path}: this model has no file {name!r}; train it again")
        data = read_inside(self.path, name)
        if hashlib.sha256(data).hexdigest() != self.spec.files[name]:
            raise ModelError(
                f"{self.path / name}: differs from the digest in {CONFIG}: it was damaged or changed after "
                "the model was saved; install or train the model again"
            )
        return data


def is_relation_model(folder: Path) -> bool:
    """Whether a folder's config says that it is a relation model."""
    try:
        config: Any = msgspec.json.decode((folder / CONFIG).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return False
    return isinstance(config, dict) and config.get("kind") == "relations"


def open_relations(folder: Path | str) -> RelationModel:
    """Open the folder of a relation model; its files are checked as they are read.

    Raises:
        ModelError: if it is none, or its config is wrong or of a newer medspan.
    """
    path = Path(folder)
    if not is_relation_model(path):
        raise ModelError(
            f"{path}: is no relation model; give what `medspan train` wrote for a recipe with [relations]"
        )
    where = path / CONFIG
    try:
        spec = msgspec.json.decode(read_inside(path, CONFIG), type=RelationSpec)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{where}: {error}; this is no relation model of this medspan") from None
    needed = {
        *_NEEDED,
        *(["forms.onnx"] if spec.forms else []),
        *([DECODER] if spec.what == "pointers" else []),
    }
    strange = set(spec.files) - set(KNOWN_FILES) | (needed - set(spec.files))
    if strange:
        raise ModelError(f"{where}: files: {min(strange)!r} is unknown or missing; train the model again")
    return RelationModel(path, spec)


def save_relations(folder: Path, spec: RelationSpec, files: Mapping[str, bytes]) -> None:
    """Write the folder whole or not at all; the digests of its files are computed here.

    Raises:
        UsageError: if something else stands there.
    """
    target = folder.resolve()
    check_replaceable(target, KNOWN_FILES)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    config = msgspec.json.encode(msgspec.structs.replace(spec, files=digests))
    write_folder(target, {**files, CONFIG: msgspec.json.format(config, indent=2) + b"\n"})

"""The folder of a relation model: what its ``config.json`` says, read and written as a whole.

``config.json`` (``"kind": "relations"``), ``vocab.json``, ``forms.onnx`` (words alone), ``model.onnx``
(sentences and the pairs in them → scores), ``decoder.safetensors`` (of a model that points), ``golden.json``
(invented documents and their relations), ``metrics.json``, ``README.md``, ``recipe.toml``,
``model.safetensors``; ``tokenizer.json`` and ``pieces.json`` of an encoder over word pieces. Digests are
checked as files are read, as in the folder of a tagger.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from medspan.errors import ModelError
from medspan.features.views import ViewSpec
from medspan.model.spec import Digest, EncoderSpec, FormSpec, Provenance, WindowSpec
from medspan.model.store import (
    CONFIG,
    PIECE_FILES,
    check_listed,
    kind_of,
    problems_of,
    read_inside,
    read_listed,
    save_listed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

GRAPH = "model.onnx"
DECODER = "decoder.safetensors"
_NEEDED = ("vocab.json", GRAPH)
KNOWN_FILES = (
    *(CONFIG, *_NEEDED, "forms.onnx", DECODER, "golden.json", "metrics.json", "README.md"),
    *("recipe.toml", "model.safetensors", *PIECE_FILES),
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
        return read_listed(self.path, name, self.spec.files[name], remedy="install or train the model again")

    def problems(self) -> list[str]:
        """What is wrong with the files of the folder, one line a file; empty where all is well."""
        return problems_of(self.read, self.spec.files)


def is_relation_model(folder: Path) -> bool:
    """Whether a folder's config says that it is a relation model."""
    return kind_of(folder) == "relations"


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
        *(PIECE_FILES if spec.encoder.kind == "transformer" else []),
    }
    check_listed(where, spec.files, known=KNOWN_FILES, needed=needed)
    return RelationModel(path, spec)


def save_relations(folder: Path, spec: RelationSpec, files: Mapping[str, bytes]) -> None:
    """Write the folder whole or not at all; the digests of its files are computed here.

    Raises:
        UsageError: if something else stands there.
    """
    save_listed(folder, spec, files, known=KNOWN_FILES)

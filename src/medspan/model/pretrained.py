"""A pretrained folder: tensors an encoder can start from, and what they were learnt from.

``config.json`` (``"kind": "pretrained"``), ``vocab.json``, ``encoder.safetensors`` (names as in
``model.safetensors`` of a model: ``encoder.*``; the table of words in eight bits, see
`medspan.train.quantize`), ``head.safetensors`` (of language models: they learn on with it),
``subwords.safetensors`` (of vectors, and of what started from them), ``metrics.json``, ``README.md``,
``recipe.toml``. Digests are checked as files are read, as in a model folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from medspan.errors import ModelError
from medspan.model.spec import CorpusSpec, Digest, Setting
from medspan.model.store import CONFIG, check_listed, kind_of, read_inside, read_listed, save_listed

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT_VERSION = 1
TENSORS = "encoder.safetensors"
HEAD = "head.safetensors"
SUBWORDS = "subwords.safetensors"
BUCKETS = "buckets"
"""The one tensor of `SUBWORDS`."""
_NEEDED = ("vocab.json", TENSORS)
KNOWN_FILES = (CONFIG, *_NEEDED, HEAD, SUBWORDS, "metrics.json", "README.md", "recipe.toml")


class PretrainedSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of ``config.json``.

    ``subwords`` gives the lengths of the n-grams whose vectors ``subwords.safetensors`` holds.
    """

    name: str
    what: Literal["vectors", "bilm", "charlm"]
    language: str
    licence: str
    tokenizer: str
    settings: dict[str, Setting]
    texts: tuple[CorpusSpec, ...]
    medspan: str
    seed: int
    date: str
    command: str
    recipe: Digest
    subwords: tuple[int, int] = (0, 0)
    description: str = ""
    files: dict[str, Digest] = {}
    kind: Literal["pretrained"] = "pretrained"
    format_version: Literal[1] = 1


class Pretrained(NamedTuple):
    """An opened pretrained folder."""

    path: Path
    spec: PretrainedSpec

    def read(self, name: str) -> bytes:
        """The bytes of a file, which are those it was saved with.

        Raises:
            ModelError: if there is no such file, or it is missing, changed, or outside the folder.
        """
        if name not in self.spec.files:
            raise ModelError(f"{self.path}: has no file {name!r}; pretrain again")
        return read_listed(self.path, name, self.spec.files[name], remedy="copy or pretrain it again")


def is_pretrained(folder: Path) -> bool:
    """Whether a folder's config says that it is a pretrained one."""
    return kind_of(folder) == "pretrained"


def open_pretrained(folder: Path | str) -> Pretrained:
    """Open a pretrained folder; its files are checked as they are read.

    Raises:
        ModelError: if it is none, or its config is wrong or of a newer medspan.
    """
    path = Path(folder)
    where = path / CONFIG
    try:
        spec = msgspec.json.decode(read_inside(path, CONFIG), type=PretrainedSpec)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{where}: {error}; this is no pretrained folder of this medspan") from None
    check_listed(where, spec.files, known=KNOWN_FILES, needed=_NEEDED)
    return Pretrained(path, spec)


def save_pretrained(folder: Path, spec: PretrainedSpec, files: Mapping[str, bytes]) -> None:
    """Write a pretrained folder whole or not at all; the digests of its files are computed here.

    Raises:
        UsageError: if something else stands there.
    """
    save_listed(folder, spec, {**files, "README.md": card(spec, files).encode()}, known=KNOWN_FILES)


def card(spec: PretrainedSpec, files: Mapping[str, bytes]) -> str:
    """What the folder is, as Markdown."""
    metrics: Any = msgspec.json.decode(files.get("metrics.json", b"{}"))
    facts = {
        "what": _WHAT[spec.what],
        "language": spec.language,
        "licence of the weights": spec.licence,
        "made": f"{spec.date}, medspan {spec.medspan}",
        "seed": spec.seed,
        "command": f"`{spec.command}`",
        **{
            str(key).replace("_", " "): value for key, value in metrics.items() if not isinstance(value, list)
        },
    }
    return _CARD.format(
        name=spec.name,
        description=spec.description or "Weights to start from.",
        facts="\n".join(f"- {key}: {value}" for key, value in facts.items()),
        texts="\n".join(f"| {text.name} | {text.licence} |" for text in spec.texts),
    )


_WHAT = {
    "vectors": "skip-gram vectors of words with subwords",
    "bilm": "forward and backward language models over words",
    "charlm": "forward and backward language models over characters",
}
_CARD = """\
# {name}

{description}

{facts}

## Text it was learnt from

| text | licence |
|---|---|
{texts}

No text is in this folder beyond single words. Articles of PubMed Central have licences of their own, which
vary.

## Use

Weights to start a tagger from, no model: in a recipe, `[transfer]` with `from` set to this folder.
"""

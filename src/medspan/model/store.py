"""A model folder: written whole or not at all, and read with every digest checked.

Data never names code and paths never leave the folder: only the names in ``KNOWN_FILES`` are read.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from medspan.errors import ModelError, UsageError, did_you_mean
from medspan.formats.sinks import sync_folder
from medspan.model.spec import ModelSpec, parse_spec
from medspan.model.viterbi import TagDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from medspan.model.spec import HeadSpec

CONFIG = "config.json"
NEEDED_FILES = ("vocab.json", "model.onnx", "decoder.safetensors")
PIECE_FILES = ("tokenizer.json", "pieces.json")
"""Needed by encoders over word pieces."""
KNOWN_FILES = (
    CONFIG,
    *NEEDED_FILES,
    "forms.onnx",
    "golden.json",
    "metrics.json",
    "README.md",
    "recipe.toml",
    "model.safetensors",
    *PIECE_FILES,
)
DECODER_PARTS = ("transitions", "start", "end")


class StoredModel(NamedTuple):
    """An opened model folder."""

    path: Path
    spec: ModelSpec

    @property
    def digest(self) -> str:
        """SHA-256 of the digests of all its files: what tells one model from another."""
        return hashlib.sha256(msgspec.json.encode(self.spec.files, order="sorted")).hexdigest()

    def read(self, name: str) -> bytes:
        """The bytes of a file, which are those the model was saved with.

        Raises:
            ModelError: if the model has no such file, or it is missing, changed, or outside the folder.
        """
        if name not in self.spec.files:
            raise ModelError(
                f"{self.path}: this model has no file {name!r}; {did_you_mean(name, self.spec.files)}"
            )
        return read_listed(self.path, name, self.spec.files[name], remedy="install or export the model again")

    def problems(self) -> list[str]:
        """What is wrong with the files of the folder, one line a file; empty where all is well."""
        return problems_of(self.read, self.spec.files)

    def decoders(self) -> dict[str, TagDecoder]:
        """The decoder of each head, by the head's name.

        Raises:
            ModelError: if ``decoder.safetensors`` does not hold what the heads need.
        """
        where = self.path / "decoder.safetensors"
        try:
            tensors = load(self.read("decoder.safetensors"))
        except SafetensorError as error:
            raise ModelError(f"{where}: not a safetensors file ({error}); export the model again") from None
        wanted = {name for head in self.spec.heads for name in _tensor_names(head)}
        if wanted != set(tensors):
            names = ", ".join(sorted(wanted ^ set(tensors)))
            raise ModelError(
                f"{where}: tensors do not fit the heads of {CONFIG}: {names}; export the model again"
            )
        try:
            return {head.name: _decoder(head, tensors) for head in self.spec.heads}
        except ModelError as error:
            raise ModelError(f"{where}: {error}; export the model again") from None


def pack_decoders(parameters: Mapping[str, Mapping[str, NDArray[np.float32]]]) -> bytes:
    """The bytes of ``decoder.safetensors``.

    Args:
        parameters: for each CRF head its ``transitions`` (tags, tags), ``start`` (tags,) and ``end`` (tags,);
            a softmax head has none.

    Raises:
        ModelError: if a part is missing or one too many.
    """
    tensors = {}
    for name, parts in parameters.items():
        if parts and set(parts) != set(DECODER_PARTS):
            raise ModelError(f"head {name!r}: has {sorted(parts)}; a CRF needs {', '.join(DECODER_PARTS)}")
        for part, values in parts.items():
            tensors[f"{name}.{part}"] = np.ascontiguousarray(values, dtype=np.float32)
    return save(tensors)


def _tensor_names(head: HeadSpec) -> list[str]:
    return [f"{head.name}.{part}" for part in DECODER_PARTS] if head.kind == "crf" else []


def _decoder(head: HeadSpec, tensors: Mapping[str, NDArray[np.float32]]) -> TagDecoder:
    transitions, start, end = (tensors.get(f"{head.name}.{part}") for part in DECODER_PARTS)
    return TagDecoder(head.tags, transitions, start, end=end, temperature=head.temperature)


def open_model(folder: Path | str) -> StoredModel:
    """Open a model folder; its files are checked as they are read.

    Raises:
        ModelError: if there is no model, or its config is wrong or of a newer medspan.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ModelError(f"{path}: no such folder; give the folder of a model, or its name in `medspan info`")
    if not (path / CONFIG).exists():
        raise ModelError(
            f"{path}: has no {CONFIG}, so it is not a model; give the folder `medspan train` wrote"
        )
    spec = parse_spec(read_inside(path, CONFIG), str(path / CONFIG))
    for name in spec.files:
        if name not in KNOWN_FILES or name == CONFIG:
            raise ModelError(
                f"{path / CONFIG}: files: {name!r} is no file of a model; it is not safe to open"
            )
    pieces = PIECE_FILES if spec.encoder.kind == "transformer" else ()
    for name in (*NEEDED_FILES, *(["forms.onnx"] if spec.forms else []), *pieces):
        if name not in spec.files:
            raise ModelError(f"{path / CONFIG}: files: {name} is missing; export the model again")
    return StoredModel(path, spec)


def read_inside(folder: Path, name: str) -> bytes:
    """The bytes of a file of a folder, which may not be a link out of it.

    Raises:
        ModelError: if it is missing, unreadable or outside.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"{path}: is a link to outside the model folder; copy the file itself there")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: is missing; install or export the model again") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None


def read_listed(folder: Path, name: str, digest: str, *, remedy: str) -> bytes:
    """The bytes of a file, which must be those whose SHA-256 the config lists.

    Raises:
        ModelError: if it is missing, changed or outside the folder; ``remedy`` says what helps.
    """
    data = read_inside(folder, name)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ModelError(
            f"{folder / name}: differs from the digest in {CONFIG}: it was damaged or changed after "
            f"it was saved; {remedy}"
        )
    return data


def problems_of(read: Callable[[str], bytes], names: Collection[str]) -> list[str]:
    """What is wrong with the files a config lists, one line a file."""
    found = []
    for name in sorted(names):
        try:
            read(name)
        except ModelError as error:
            found.append(str(error))
    return found


def kind_of(folder: Path) -> str | None:
    """What a folder's config says its ``kind`` is; None where it says nothing or there is none."""
    try:
        config: Any = msgspec.json.decode((folder / CONFIG).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
    kind = config.get("kind") if isinstance(config, dict) else None
    return kind if isinstance(kind, str) else None


def check_listed(
    where: Path, listed: Collection[str], *, known: Collection[str], needed: Collection[str]
) -> None:
    """A config must list all files that are needed, and none that is unknown.

    Raises:
        ModelError: naming one that is unknown or missing.
    """
    if strange := set(listed) - set(known) | (set(needed) - set(listed)):
        raise ModelError(f"{where}: files: {min(strange)!r} is unknown or missing; make the folder again")


def save_listed(
    folder: Path, spec: msgspec.Struct, files: Mapping[str, bytes], *, known: Collection[str]
) -> None:
    """Write a folder whole or not at all; the digests its config lists are computed here.

    Raises:
        UsageError: if something else stands there.
    """
    target = folder.resolve()
    check_replaceable(target, known)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    config = msgspec.json.encode(msgspec.structs.replace(spec, files=digests))
    write_folder(target, {**files, CONFIG: msgspec.json.format(config, indent=2) + b"\n"})


def save_model(folder: Path | str, spec: ModelSpec, files: Mapping[str, bytes]) -> None:
    """Write a model folder so that a reader, or a crash, never sees half of it.

    Everything is written to a folder beside it, which is then renamed. A model that stands there is replaced.

    Args:
        folder: the model folder; its parents are made.
        spec: the model; its ``files`` are computed here.
        files: name (of ``KNOWN_FILES``) → content, without ``config.json``.

    Raises:
        UsageError: if something else than a model stands there.
        ModelError: if a file is unknown or a needed one is missing.
    """
    for name in files:
        if name not in KNOWN_FILES or name == CONFIG:
            raise ModelError(f"{name!r} is no file of a model; {did_you_mean(name, KNOWN_FILES[1:])}")
    if missing := [name for name in NEEDED_FILES if name not in files]:
        raise ModelError(f"a model needs {', '.join(missing)}")
    target = Path(folder).resolve()
    check_replaceable(target)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    write_folder(target, {**files, CONFIG: spec.replace(files=digests).to_json()})


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files to a place beside it, then put it where ``target`` is."""
    with replacing(target) as fresh:
        for name, data in files.items():
            _write_durably(fresh / name, data)
        sync_folder(fresh)
    sync_folder(target.parent)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A new folder that takes the place of ``target`` when the block ends well; else it is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    fresh.mkdir()
    try:
        yield fresh
        put_in_place(fresh, target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def check_replaceable(target: Path, known: Collection[str] = KNOWN_FILES) -> None:
    """Only an empty folder or a model may be replaced: a run folder or someone's documents may not.

    Args:
        target: the folder to be written.
        known: names a model of this kind has.

    Raises:
        UsageError: if something else stands there.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError(f"{target}: is a file; name a folder for the model")
    present = {entry.name for entry in target.iterdir()}
    if strangers := sorted(present - set(known)):
        raise UsageError(
            f"{target}: holds {strangers[0]!r}, which is no part of a model, so it is not replaced; "
            "name another folder, or empty this one"
        )
    if present and CONFIG not in present:
        raise UsageError(
            f"{target}: is not a model, so it is not replaced; name another folder, or empty this one"
        )


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def put_in_place(fresh: Path, target: Path) -> None:
    """Rename a finished folder to its place; a failure leaves what was there."""
    if not target.exists():
        fresh.rename(target)
        return
    retired = fresh.with_suffix(".old")
    target.rename(retired)
    try:
        fresh.rename(target)
    except BaseException:
        retired.rename(target)
        raise
    shutil.rmtree(retired, ignore_errors=True)

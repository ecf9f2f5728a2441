"""Soft labels on disk: sentences with the tags their teachers think possible, in shards that stand alone.

A shard is a packed file of arrays. Of a word's tags only those that are not ``O`` and have a share of at
least `LEAST` are kept; ``O`` has the rest. So most words cost nothing but their place in the list of forms.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from medspan.errors import DataError
from medspan.train.folder import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

LEAST = 1e-3
"""Share of a tag below which it is left out."""
_FORMS, _ROWS, _LENGTHS, _EMPTY, _COUNTS = "forms", "rows", "lengths", "is_empty", "counts"
_GLUED = "glued"
"""Missing in shards of before December 2026, which tell of no word that it is."""
_LIKELY = 0.5


class ReadCounts(msgspec.Struct):
    """Sentences read so far, and what became of them; those taught are the rest."""

    read: int = 0
    duplicates: int = 0
    leaked: int = 0
    too_long: int = 0
    taught: int = 0
    empty: int = 0
    words: int = 0


class SoftShard(NamedTuple):
    """Sentences with soft labels.

    forms: distinct words. rows: (words,) position of each word in ``forms``. glued: bool (words,), which
    follow another without a blank. lengths: (sentences,). marginals: by head, float16 (words, tags).
    """

    forms: list[str]
    rows: NDArray[np.int64]
    glued: NDArray[np.bool_]
    lengths: NDArray[np.int64]
    marginals: dict[str, NDArray[np.float16]]


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard stands."""
    return folder / f"soft-{number:05}.npz"


def save_shard(
    path: Path,
    sentences: Sequence[tuple[Sequence[str], Sequence[bool]]],
    marginals: Mapping[str, NDArray[np.float32]],
    counts: ReadCounts,
) -> None:
    """Write a shard whole or not at all.

    Args:
        path: the file.
        sentences: their words, and which of them follow another without a blank.
        marginals: by head, (words, tags) of all sentences one after the other.
        counts: what had been read when the shard was full; ``empty`` is added to here.
    """
    words = [form for forms, _ in sentences for form in forms]
    places = {form: i for i, form in enumerate(dict.fromkeys(words))}
    lengths = np.array([len(forms) for forms, _ in sentences], np.int64)
    is_empty = _are_empty(marginals, lengths)
    counts.empty += int(is_empty.sum())
    arrays: Arrays = {
        # A line end is blank, so no word holds one.
        _FORMS: _bytes("\n".join(places).encode("utf-8", "surrogatepass")),
        _ROWS: _small(np.array([places[form] for form in words], np.int64)),
        _GLUED: np.packbits([is_glued for _, glued in sentences for is_glued in glued]),
        _LENGTHS: _small(lengths),
        _EMPTY: is_empty,
        _COUNTS: _bytes(msgspec.json.encode(counts)),
    }
    for head, shares in marginals.items():
        word, tag = np.nonzero(shares[:, 1:] >= LEAST)
        arrays[f"gap/{head}"] = _small(np.diff(word, prepend=0))
        arrays[f"tag/{head}"] = _small(tag + 1)
        arrays[f"share/{head}"] = shares[word, tag + 1].astype(np.float16)
        arrays[f"tags/{head}"] = np.array(shares.shape[1])
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]  # numpy's stubs: an option may be named so
    write_whole(path, packed.getvalue())


def _are_empty(marginals: Mapping[str, NDArray[np.float32]], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether in a sentence no mention is more likely than none: bool (sentences,)."""
    likely = np.zeros(int(lengths.sum()), np.bool_)
    for shares in marginals.values():
        likely |= shares[:, 0] < _LIKELY
    return np.asarray(~np.logical_or.reduceat(likely, np.cumsum(lengths) - lengths))


def _bytes(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8)


def _small(numbers: NDArray[np.int64]) -> NDArray[Any]:
    """The same numbers, from 0 on, in the smallest type that holds them."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def load_shard(path: Path) -> SoftShard:
    """Read a shard.

    Raises:
        DataError: if it cannot be read.
    """
    found = _read(path)
    lengths = found[_LENGTHS].astype(np.int64)
    rows = found[_ROWS].astype(np.int64)
    bits = found.get(_GLUED, np.zeros(-(-len(rows) // 8), np.uint8))
    glued = np.unpackbits(bits, count=len(rows)).astype(np.bool_)
    heads = [name.partition("/")[2] for name in found if name.startswith("tags/")]
    marginals = {head: _dense(found, head, len(rows)) for head in heads}
    return SoftShard(_forms(found), rows, glued, lengths, marginals)


def _dense(found: Arrays, head: str, words: int) -> NDArray[np.float16]:
    shares = np.zeros((words, int(found[f"tags/{head}"])), np.float16)
    shares[np.cumsum(found[f"gap/{head}"], dtype=np.int64), found[f"tag/{head}"]] = found[f"share/{head}"]
    shares[:, 0] = np.maximum(1 - shares.sum(1, dtype=np.float32), 0)
    return shares


def shard_sizes(path: Path) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Lengths of the sentences of a shard, and which have no likely mention, without reading the rest."""
    found = _read(path, _LENGTHS, _EMPTY)
    return found[_LENGTHS].astype(np.int64), found[_EMPTY]


def shard_words(path: Path) -> dict[str, int]:
    """How often each form stands in a shard."""
    found = _read(path, _FORMS, _ROWS)
    forms = _forms(found)
    return dict(zip(forms, np.bincount(found[_ROWS], minlength=len(forms)).tolist(), strict=True))


def shard_counts(path: Path) -> ReadCounts:
    """What had been read when the shard was full.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        return msgspec.json.decode(_read(path, _COUNTS)[_COUNTS].tobytes(), type=ReadCounts)
    except msgspec.MsgspecError as error:
        raise _damaged(path, error) from None


def _forms(found: Arrays) -> list[str]:
    return found[_FORMS].tobytes().decode("utf-8", "surrogatepass").split("\n")


def _read(path: Path, *names: str) -> Arrays:
    """Some arrays of a shard, or all."""
    try:
        # Opened here, for numpy leaves a file open that is no archive.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in names or file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path}: cannot be read ({type(error).__name__}); remove it and those behind it, and label again"
    )

"""Soft labels on disk: sentences with the tags their teachers think possible, in shards that stand alone.

A shard is one safetensors file. Of a word's tags only those that are not ``O`` and have a share of at least
`LEAST` are kept; ``O`` has the rest. So most words cost nothing but their place in the shard's list of forms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from medspan.errors import DataError
from medspan.train.folder import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LEAST = 1e-3
"""Share of a tag below which it is left out."""
_FORMS, _ROWS, _LENGTHS, _EMPTY = "forms", "rows", "lengths", "is_empty"


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

    forms: distinct words. rows: (words,) position of each word in ``forms``. lengths: (sentences,).
    is_empty: (sentences,) whether no teacher thinks a mention more likely than none.
    marginals: by head, float16 (words, tags).
    """

    forms: list[str]
    rows: NDArray[np.int64]
    lengths: NDArray[np.int64]
    is_empty: NDArray[np.bool_]
    marginals: dict[str, NDArray[np.float16]]


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard stands."""
    return folder / f"soft-{number:05}.safetensors"


def save_shard(
    path: Path,
    sentences: Sequence[Sequence[str]],
    marginals: Mapping[str, NDArray[np.float32]],
    counts: ReadCounts,
) -> None:
    """Write a shard whole or not at all.

    Args:
        path: the file.
        sentences: their words.
        marginals: by head, (words, tags) of all sentences one after the other.
        counts: what had been read when the shard was full; ``empty`` is added to here.
    """
    words = [form for sentence in sentences for form in sentence]
    places = {form: i for i, form in enumerate(dict.fromkeys(words))}
    lengths = np.array([len(sentence) for sentence in sentences], np.int32)
    is_empty = _are_empty(marginals, lengths)
    counts.empty += int(is_empty.sum())
    tensors = {
        # A line end is blank, so no word holds one.
        _FORMS: np.frombuffer("\n".join(places).encode("utf-8", "surrogatepass"), np.uint8),
        _ROWS: _small([places[form] for form in words], len(places)),
        _LENGTHS: lengths,
        _EMPTY: is_empty,
    }
    for head, shares in marginals.items():
        word, tag = np.nonzero(shares[:, 1:] >= LEAST)
        tensors[f"word/{head}"] = _small(word, len(words))
        tensors[f"tag/{head}"] = _small(tag + 1, shares.shape[1])
        tensors[f"share/{head}"] = shares[word, tag + 1].astype(np.float16)
        tensors[f"tags/{head}"] = np.array([shares.shape[1]], np.int32)
    write_whole(path, save(tensors, {"counts": msgspec.json.encode(counts).decode()}))


def _are_empty(marginals: Mapping[str, NDArray[np.float32]], lengths: NDArray[np.int32]) -> NDArray[np.bool_]:
    likely = np.zeros(int(lengths.sum()), np.bool_)
    for shares in marginals.values():
        likely |= shares[:, 0] < 0.5  # noqa: PLR2004 - more likely than not
    firsts = np.cumsum(lengths) - lengths
    return np.asarray(~np.logical_or.reduceat(likely, firsts))


def _small(numbers: Sequence[int] | NDArray[np.int64], limit: int) -> NDArray[np.unsignedinteger]:
    return np.asarray(numbers).astype(np.min_scalar_type(limit))


def load_shard(path: Path) -> SoftShard:
    """Read a shard.

    Raises:
        DataError: if it cannot be read.
    """
    found = _read(path)
    lengths = found[_LENGTHS].astype(np.int64)
    marginals = {}
    for name in found:
        kind, _, head = name.partition("/")
        if kind != "tags":
            continue
        shares = np.zeros((int(lengths.sum()), int(found[name][0])), np.float16)
        shares[found[f"word/{head}"], found[f"tag/{head}"]] = found[f"share/{head}"]
        rest = 1 - shares.sum(1, dtype=np.float32)
        shares[:, 0] = np.maximum(rest, 0)
        marginals[head] = shares
    return SoftShard(
        _forms(found), found[_ROWS].astype(np.int64), lengths, found[_EMPTY].astype(np.bool_), marginals
    )


def shard_sizes(path: Path) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Lengths of the sentences of a shard, and which are empty, without reading the rest."""
    found = _read(path, _LENGTHS, _EMPTY)
    return found[_LENGTHS].astype(np.int64), found[_EMPTY].astype(np.bool_)


def shard_words(path: Path) -> tuple[list[str], NDArray[np.int64]]:
    """The forms of a shard and how often each stands in it."""
    found = _read(path, _FORMS, _ROWS)
    forms = _forms(found)
    return forms, np.bincount(found[_ROWS], minlength=len(forms)).astype(np.int64)


def shard_counts(path: Path) -> ReadCounts:
    """What had been read when the shard was full.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        with safe_open(path, framework="np") as file:
            return msgspec.json.decode((file.metadata() or {})["counts"], type=ReadCounts)
    except (OSError, SafetensorError, KeyError, msgspec.MsgspecError) as error:
        raise _damaged(path, error) from None


def _forms(found: Mapping[str, NDArray[np.uint8]]) -> list[str]:
    return found[_FORMS].tobytes().decode("utf-8", "surrogatepass").split("\n")


def _read(path: Path, *names: str) -> dict[str, NDArray[np.uint8]]:
    """Some tensors, or all; their types are those they were saved with."""
    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in names or file.keys()}
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: cannot be read ({type(error).__name__}); remove the folder and label anew")

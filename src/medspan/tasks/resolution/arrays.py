"""The arrays of an index folder, and strings laid end to end in them."""

from __future__ import annotations

import hashlib
import mmap
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from medspan.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

ARRAYS: Final[dict[str, str]] = {
    "text": "uint8",  # (bytes,) names in UTF-8, end to end
    "text_start": "int64",  # (names + 1,)
    "concept": "int32",  # (names,) number of the concept
    "kind": "uint8",  # (names,) a Kind
    "source": "uint8",  # (names,) number of the source, the order they were given in
    "count": "int32",  # (names,) annotated mentions of this name with this concept
    "id": "uint8",  # (bytes,) ids of concepts, end to end
    "id_start": "int64",  # (concepts + 1,)
    "best_name": "int32",  # (concepts,) the name to show
    "concept_names": "int32",  # (concepts,) how many names it has
    "concept_count": "int32",  # (concepts,) annotated mentions
    "plain": "uint64",  # (names,) hashes of plain keys, ascending
    "plain_name": "int32",  # (names,) the name of each
    "bag": "uint64",  # (names,) hashes of bag keys, ascending
    "bag_name": "int32",  # (names,)
    "gram_start": "int64",  # (buckets + 1,) where the names of a feature begin
    "gram_name": "int32",  # (postings,) names by feature, ascending within one
    "norm": "float32",  # (names,) length of each name's tf-idf vector
}
DENSE: Final[dict[str, str]] = {
    "encoder": "float16",  # (buckets of the encoder, width)
    "unit": "int8",  # (names, width) embeddings times 127, by cell
    "unit_name": "int32",  # (names,) the name of each row of `unit`
    "unit_place": "int32",  # (names,) the row of `unit` of each name
    "cell": "float32",  # (cells, width) centres
    "cell_start": "int64",  # (cells + 1,) rows of `unit` of each cell
}


def open_array(folder: Path, name: str, dtype: str) -> NDArray[Any]:
    """An array of a folder, memory-mapped and read-only; nothing is read until it is used.

    Raises:
        ModelError: if it is missing or of another type.
    """
    path = folder / f"{name}.npy"
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ModelError(f"{path}: is missing; build the index anew") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: is no array ({type(error).__name__}); build the index anew") from None
    if found.dtype != np.dtype(dtype):
        raise ModelError(f"{path}: holds {found.dtype}, not {dtype}; build the index anew")
    return np.asarray(found)


def let_go(values: NDArray[Any]) -> None:
    """Take the pages of a mapped array out of this process; they come back from the file when they are used.

    The kernel does so itself only when memory is short. Where it cannot be told, nothing happens.
    """
    base: object = values
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def save_array(folder: Path, name: str, values: NDArray[Any]) -> None:
    """Write an array of any shape as the type that ``ARRAYS`` or ``DENSE`` has by its name.

    The same values give the same bytes.
    """
    wanted = (ARRAYS | DENSE)[name]
    np.save(folder / f"{name}.npy", np.ascontiguousarray(values, dtype=wanted), allow_pickle=False)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key_hash(key: str) -> int:
    """64 bits of a key; two of a million keys share theirs with a chance of one in 30 million."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


class Strings:
    """Strings laid end to end.

    Args:
        data: uint8 (bytes,).
        starts: int64 (strings + 1,).
    """

    def __init__(self, data: NDArray[np.uint8], starts: NDArray[np.int64]) -> None:
        self._data = data
        self.starts = starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, place: int) -> str:
        return self._data[self.starts[place] : self.starts[place + 1]].tobytes().decode()

    def some(self, places: Sequence[int] | NDArray[Any]) -> list[str]:
        """The strings at some places, int (places,)."""
        return [self[int(place)] for place in places]


class Growing:
    """Strings laid end to end, while they still come."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.starts = [0]

    def add(self, text: str) -> None:
        """Lay one more string at the end."""
        self.data += text.encode()
        self.starts.append(len(self.data))

    def __getitem__(self, place: int) -> str:
        return self.data[self.starts[place] : self.starts[place + 1]].decode()

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """What `Strings` reads."""
        return np.frombuffer(bytes(self.data), dtype=np.uint8), np.asarray(self.starts, dtype=np.int64)

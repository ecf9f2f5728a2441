"""Names as bags of hashed features: their words and the character n-grams of each word.

The same function serves the index, what is looked up in it, and the training of the encoder. Borders of words
count (``^kid``, ``ney$``), borders between words do not, so that word order changes nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np

from medspan.text.name_keys import key_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BUCKET_BITS: Final = 20
BUCKETS: Final = 1 << BUCKET_BITS
SIZES: Final = (3,)
"""Lengths of the character n-grams."""
_CACHED_WORDS: Final = 1 << 16
_LONGEST_WORD: Final = 60
_MOST_WORDS: Final = 40


@lru_cache(maxsize=_CACHED_WORDS)
def word_features(word: str) -> tuple[int, ...]:
    """Buckets of one word: the word itself first, then its n-grams, each once, in order of place."""
    marked = f"^{word[:_LONGEST_WORD]}$"
    grams = [f"_{marked}"]
    for size in SIZES:
        grams.extend(marked[at : at + size] for at in range(len(marked) - size + 1))
    return tuple(dict.fromkeys(crc32(gram.encode()) & (BUCKETS - 1) for gram in grams))


def name_features(name: str) -> list[int]:
    """Buckets of a name, ascending, each once; empty only where a name has no word."""
    return sorted({bucket for word in key_words(name)[:_MOST_WORDS] for bucket in word_features(word)})


def features_of(names: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Features of many names.

    Returns:
        Buckets of all names, one after another, int32 (features,), and where each name's begin, int64
        (names + 1,).
    """
    found = [name_features(name) for name in names]
    starts = np.zeros(len(found) + 1, dtype=np.int64)
    np.cumsum([len(buckets) for buckets in found], out=starts[1:])
    flat = np.fromiter(
        (bucket for buckets in found for bucket in buckets), dtype=np.int32, count=int(starts[-1])
    )
    return flat, starts

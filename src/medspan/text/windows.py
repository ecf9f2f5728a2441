"""Splits a long word sequence into overlapping windows whose owned parts tile it.

A model reads a whole window but answers only for the words the window owns, so every word has context on both
sides (unless the sequence ends there) and stitching is integer arithmetic: no word is lost or answered twice.
"""

from __future__ import annotations

import msgspec

from medspan.errors import ConfigError


class Window(msgspec.Struct, frozen=True):
    """A range of word positions to read, ``[first, stop)``, and the part it answers for, the owned range."""

    first: int
    stop: int
    owned_first: int
    owned_stop: int


def windows(n_words: int, *, size: int, overlap: int) -> list[Window]:
    """Overlapping windows over ``n_words`` words.

    Neighbours share ``overlap`` words and each owns half of them (the left one the larger half of an odd
    number). The last window ends with the sequence and may be shorter than ``size``.

    Args:
        n_words: length of the sequence; 0 gives no window.
        size: words a window holds at most.
        overlap: words two neighbouring windows share.

    Returns:
        Windows in order; their owned ranges tile ``[0, n_words)`` and lie inside the range they read.

    Raises:
        ConfigError: unless ``0 <= overlap < size``.
    """
    if not 0 <= overlap < size:
        raise ConfigError(f"window size {size} and overlap {overlap}: need 0 <= overlap < size")
    if n_words <= 0:
        return []
    step = size - overlap
    firsts = range(0, max(n_words - overlap, 1), step)
    cuts = [first + overlap // 2 for first in firsts[1:]]
    return [
        Window(first, min(first + size, n_words), owned_first, owned_stop)
        for first, owned_first, owned_stop in zip(firsts, [0, *cuts], [*cuts, n_words], strict=True)
    ]

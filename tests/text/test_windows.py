"""Windows over long word sequences."""

from __future__ import annotations

import pytest

from medspan.errors import ConfigError
from medspan.text.windows import Window, windows

TABLE = [
    (0, 4, 2, []),
    (1, 4, 2, [Window(0, 1, 0, 1)]),
    (4, 4, 2, [Window(0, 4, 0, 4)]),
    (5, 4, 2, [Window(0, 4, 0, 3), Window(2, 5, 3, 5)]),
    (10, 4, 2, [Window(0, 4, 0, 3), Window(2, 6, 3, 5), Window(4, 8, 5, 7), Window(6, 10, 7, 10)]),
    (3, 1, 0, [Window(0, 1, 0, 1), Window(1, 2, 1, 2), Window(2, 3, 2, 3)]),
    (7, 5, 3, [Window(0, 5, 0, 3), Window(2, 7, 3, 7)]),
]


@pytest.mark.parametrize(("n_words", "size", "overlap", "expected"), TABLE)
def test_windows(n_words: int, size: int, overlap: int, expected: list[Window]) -> None:
    assert windows(n_words, size=size, overlap=overlap) == expected


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (4, 4), (4, 5), (4, -1)])
def test_an_impossible_overlap_is_refused(size: int, overlap: int) -> None:
    with pytest.raises(ConfigError, match="need 0 <= overlap < size"):
        windows(10, size=size, overlap=overlap)

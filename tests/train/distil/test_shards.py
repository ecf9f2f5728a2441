"""Shards of soft labels: what goes in comes out, and what is damaged is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch")

from medspan.errors import DataError
from medspan.train.distil.shards import (
    LEAST,
    ReadCounts,
    load_shard,
    save_shard,
    shard_counts,
    shard_sizes,
    shard_words,
)

if TYPE_CHECKING:
    from pathlib import Path

SENTENCES = [["a", "b", "a", "\ud800x"], ["c"], ["a", "\x00"]]
GLUED = [[False, True, True, False], [False], [False, True]]
BOTH = list(zip(SENTENCES, GLUED, strict=True))


def shares(words: int, tags: int, seed: int) -> np.ndarray:
    """Mostly O, as teachers are."""
    draw = np.random.default_rng(seed)
    found = draw.dirichlet(np.full(tags, 0.05), size=words)
    found[draw.random(words) < 0.5] = [1.0] + [0.0] * (tags - 1)
    return found.astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    marginals = {"disease": shares(7, 5, 1), "two-labels": shares(7, 9, 2)}
    marginals["disease"][4] = [0.3, 0.0, 0.0, 0.0, 0.7]
    marginals["disease"][5:] = marginals["two-labels"][5:] = 0.0
    marginals["disease"][5:, 0] = marginals["two-labels"][5:, 0] = 1.0
    save_shard(tmp_path / "s.npz", BOTH, marginals, ReadCounts(read=9, taught=3, words=7))
    return tmp_path / "s.npz"


def test_what_goes_in_comes_out(path: Path):
    shard = load_shard(path)
    assert [shard.forms[row] for row in shard.rows] == [form for words in SENTENCES for form in words]
    assert shard.lengths.tolist() == [4, 1, 2]
    assert shard.glued.tolist() == [is_glued for glued in GLUED for is_glued in glued]
    wanted = {"disease": shares(7, 5, 1), "two-labels": shares(7, 9, 2)}
    assert shard.marginals.keys() == wanted.keys()
    for head in ("disease", "two-labels"):
        found = shard.marginals[head].astype(np.float64)
        np.testing.assert_allclose(found[:4], wanted[head][:4], atol=2 * wanted[head].shape[1] * LEAST)
        np.testing.assert_allclose(found.sum(1), 1, atol=1e-3)
        assert (found[5:, 0] == 1).all()
    np.testing.assert_allclose(shard.marginals["disease"][4], [0.3, 0, 0, 0, 0.7], atol=1e-3)


def test_parts_are_read_by_themselves(path: Path):
    lengths, is_empty = shard_sizes(path)
    assert lengths.tolist() == [4, 1, 2]
    assert not is_empty[1]
    assert is_empty[2]
    assert shard_words(path) == {"a": 3, "b": 1, "\ud800x": 1, "c": 1, "\x00": 1}
    assert shard_counts(path) == ReadCounts(read=9, taught=3, words=7, empty=int(is_empty.sum()))


def test_the_same_labels_have_the_same_bytes(path: Path, tmp_path: Path):
    for name in ("one", "two"):
        save_shard(tmp_path / name, BOTH, {"disease": shares(7, 5, 1)}, ReadCounts())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert path.read_bytes() != (tmp_path / "one").read_bytes()


def test_a_shard_that_does_not_say_which_words_are_glued_has_none(path: Path):
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if name != "glued"}
    np.savez_compressed(path, **arrays)
    assert load_shard(path).glued.tolist() == [False] * 7


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "text"])
def test_a_damaged_shard_is_refused(path: Path, damage: str):
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "text": b"words " * 9}[damage])
    for read in (load_shard, shard_sizes, shard_words, shard_counts):
        with pytest.raises(DataError, match=r"s\.npz: cannot be read .*; remove it and those behind it"):
            read(path)

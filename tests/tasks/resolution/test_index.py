"""An index: what is written is what is read, the same bytes each time, and damage is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import invented
from medspan.errors import DataError, ModelError, UsageError
from medspan.tasks.resolution import lookup as lookup_module
from medspan.tasks.resolution.arrays import ARRAYS, let_go
from medspan.tasks.resolution.build import IndexBuilder
from medspan.tasks.resolution.index import Index
from medspan.tasks.resolution.lookup import Lookup
from medspan.tasks.resolution.terms import Kind, Name

if TYPE_CHECKING:
    from pathlib import Path


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    index = invented.make_index(tmp_path / "index")
    assert len(index) == len(invented.names())
    found = {index.ids[int(concept)]: set() for concept in index.concept}
    for row in range(len(index)):
        found[index.ids[int(index.concept[row])]].add(index.names[row])
    assert {key: set(value) for key, value in invented.CONCEPTS.items()} == found
    assert [index.names[int(row)] for row in index.best_name] == [
        value[0] for value in invented.CONCEPTS.values()
    ]


def test_the_same_names_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        builder = IndexBuilder()
        builder.add_all(invented.names())
        builder.write(tmp_path / name, [], name="invented")
    assert bytes_of(tmp_path / "first") == bytes_of(tmp_path / "second")


def test_postings_hold_every_name_of_a_feature(tmp_path: Path) -> None:
    from medspan.features.name_grams import name_features  # noqa: PLC0415

    index = invented.make_index(tmp_path / "index")
    for row in range(len(index)):
        for bucket in name_features(index.names[row]):
            names = index.gram_name[index.gram_start[bucket] : index.gram_start[bucket + 1]]
            assert row in names
            assert np.all(np.diff(names) > 0)


def test_mentions_are_added_up(tmp_path: Path) -> None:
    more = (Name("X:1", "GREY FEVER", Kind.MENTION, count=3), Name("X:9", "new", Kind.MENTION, count=2))
    index = invented.make_index(tmp_path / "index", more)
    row = int(index.with_plain_key("grey fever")[0])
    assert (index.names[row], int(index.count[row]), int(index.kind[row])) == (
        "Grey fever",
        3,
        Kind.PREFERRED,
    )
    assert int(index.concept_count[index.concept[row]]) == 3
    assert index.ids[int(index.concept[index.with_plain_key("new")[0]])] == "X:9"


def test_prefix_goes_before_bare_ids(tmp_path: Path) -> None:
    builder = IndexBuilder(prefix="MESH")
    builder.add_all([Name("D1", "grey fever"), Name("OMIM:2", "ash fever"), Name("D3", "—")])
    assert len(builder) == 2
    builder.write(tmp_path / "index", [])
    assert [Index(tmp_path / "index").ids[place] for place in range(2)] == ["MESH:D1", "OMIM:2"]


def test_an_index_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    invented.make_index(tmp_path / "index")
    invented.make_index(tmp_path / "index", (Name("X:9", "new"),))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="is not an index"):
        invented.make_index(tmp_path / "mine")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        invented.make_index(tmp_path / "file")


def test_nothing_to_index(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="hold no name"):
        IndexBuilder().write(tmp_path / "index", [])
    assert list(tmp_path.iterdir()) == []


def test_damage_is_told(tmp_path: Path) -> None:
    index = invented.make_index(tmp_path / "index")
    assert index.problems() == []
    data = bytearray((index.path / "text.npy").read_bytes())
    data[-1] ^= 1
    (index.path / "text.npy").write_bytes(data)
    assert [problem.split(":")[0] for problem in Index(index.path).problems()] == [
        str(index.path / "text.npy")
    ]


def test_folders_that_are_no_index(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no index"):
        Index(tmp_path)
    index = invented.make_index(tmp_path / "index")
    for name, match in (("norm", "is missing"), ("kind", "holds float64"), ("count", "does not fit")):
        whole = (index.path / f"{name}.npy").read_bytes()
        if name == "norm":
            (index.path / "norm.npy").unlink()
        else:
            values = np.zeros(len(index)) if name == "kind" else np.zeros(3, dtype=ARRAYS[name])
            np.save(index.path / f"{name}.npy", values)
        with pytest.raises(ModelError, match=match):
            Index(index.path)
        (index.path / f"{name}.npy").write_bytes(whole)
    (index.path / "config.json").write_text('{"format": 99}')
    with pytest.raises(ModelError, match="index format 99"):
        Index(index.path)
    (index.path / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="not the config"):
        Index(index.path)


def test_arrays_are_mapped_not_read(tmp_path: Path) -> None:
    index = invented.make_index(tmp_path / "index")
    for values in (index.gram_name, index.concept, index.norm):
        base = values.base
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)
        assert not values.flags.writeable


def test_pages_are_let_go_and_answers_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = invented.make_index(tmp_path / "index")
    calls: list[bool] = []
    whole = Index.let_go
    monkeypatch.setattr(Index, "let_go", lambda self: calls.append(True) or whole(self))
    monkeypatch.setattr(lookup_module, "LET_GO", 2)
    lookup = Lookup(index)
    before = [lookup(name) for name in ("grey fever", "lung cancer", "greyish fever", "cold")]
    assert len(calls) == 2
    index.let_go()
    assert [Lookup(index)(name) for name in ("grey fever", "lung cancer", "greyish fever", "cold")] == before
    let_go(np.zeros(3))

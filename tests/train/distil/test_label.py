"""Labelling: which sentences are taken, and that work that was stopped goes on with the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch")

from medspan import formats
from medspan.errors import DataError, TrainingError, UsageError
from medspan.model.spec import CorpusSpec, TeacherSpec
from medspan.tags import iobes_tags
from medspan.train.distil import label as labelling
from medspan.train.distil.label import LabelSettings, _Seen, digest_of, label, open_soft, read_all
from medspan.train.distil.shards import load_shard, shard_path
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

HEADS = {"drug": ("Drug",)}
SETTINGS = LabelSettings(
    (TeacherSpec("t", "MIT", "0" * 64),),
    (CorpusSpec("x", "CC0"),),
    HEADS,
    {},
    12,
    keep_leaks=False,
    shard_words=20,
)
KNOWN = "The patient was given zelvorin for nodular ankylia in spring ."


class Stopped(Exception):  # noqa: N818 - stands for a kill
    pass


class Teachers:
    """Says that every word with a z is a drug; may be stopped at a call."""

    def __init__(self, stop: int = -1) -> None:
        self.heads, self.stop, self.calls = HEADS, stop, 0

    def marginals(self, documents: Sequence[Document], words: np.ndarray) -> dict[str, np.ndarray]:
        if self.calls == self.stop:
            raise Stopped
        self.calls += 1
        shares = np.zeros((int(words.sum()), 5), np.float32)
        found = [word for document in documents for word in document.text.split()]
        assert len(found) == len(shares)
        shares[:, 4] = [0.9 if "z" in word else 0.0 for word in found]
        shares[:, 0] = 1 - shares[:, 4]
        return {"drug": shares}


def documents() -> Iterator[Document]:
    for number in range(12):
        yield Document(f"d{number}", f"Took zel{number} and {number} more of it .\nIt rained .")
    yield Document("known", KNOWN)
    yield Document("long", "word " * 13)
    yield Document("blank", " \n\t")


def run(folder: Path, *, stop: int = -1, settings: LabelSettings = SETTINGS) -> list[str]:
    said: list[str] = []
    label(settings, documents, folder, teachers=lambda: Teachers(stop), tell=said.append)  # type: ignore[arg-type,return-value]
    return said


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    key = labelling.text_key(KNOWN)
    monkeypatch.setattr(labelling, "registered_keys", lambda: frozenset({key}))


@pytest.mark.usefixtures("_known")
def test_which_sentences_teach(tmp_path: Path):
    run(tmp_path / "soft")
    text = open_soft(tmp_path / "soft")
    counts = text.counts
    assert (counts.leaked, counts.duplicates, counts.too_long) == (1, 11, 1)
    assert counts.taught == 13
    assert counts.read == counts.taught + counts.leaked + counts.duplicates + counts.too_long
    assert counts.empty == 1
    shards = [load_shard(text.path(number)) for number in range(text.shards)]
    assert len(shards) > 2
    assert sum(len(shard.lengths) for shard in shards) == 13
    words = [shard.forms[row] for shard in shards for row in shard.rows]
    assert len(words) == counts.words
    drugs = [float(share) for shard in shards for share in shard.marginals["drug"][:, 4]]
    assert [round(share, 1) for share in drugs] == [0.9 if "z" in word else 0.0 for word in words]


def test_heads_nobody_teaches_are_named(tmp_path: Path):
    settings = msgspec.structs.replace(SETTINGS, heads={**HEADS, "gene": ("Gene",)})
    said = run(tmp_path / "soft", settings=settings)
    assert said[-1] == "heads with a label no teacher has, which learn from gold alone: gene"
    assert open_soft(tmp_path / "soft").heads == ("drug",)


@pytest.mark.usefixtures("_known")
def test_leaks_may_be_kept(tmp_path: Path):
    run(tmp_path / "soft", settings=msgspec.structs.replace(SETTINGS, keep_leaks=True))
    assert open_soft(tmp_path / "soft").counts.leaked == 0
    assert open_soft(tmp_path / "soft").counts.taught == 14


def shards_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_stopped_work_goes_on_with_the_same_bytes(tmp_path: Path, stop: int):
    run(tmp_path / "whole")
    with pytest.raises(Stopped):
        run(tmp_path / "parts", stop=stop)
    with pytest.raises(DataError, match="holds no labels that are complete"):
        open_soft(tmp_path / "parts")
    said = run(tmp_path / "parts")
    assert any("going on behind them" in line for line in said) == (stop > 0)
    assert shards_of(tmp_path / "parts") == shards_of(tmp_path / "whole")
    assert run(tmp_path / "parts", stop=0)[0].startswith("unlabelled text: ")  # nobody is asked again


def test_a_shard_taken_away_is_made_again(tmp_path: Path):
    run(tmp_path / "soft")
    before = shards_of(tmp_path / "soft")
    for number in (1, 2, 3):
        shard_path(tmp_path / "soft", number).unlink(missing_ok=True)
    run(tmp_path / "soft")
    assert shards_of(tmp_path / "soft") == before


@pytest.mark.parametrize(
    "change",
    [
        {"teachers": (TeacherSpec("t", "MIT", "1" * 64),)},
        {"texts": (CorpusSpec("x", "CC0", {"text": "1" * 64}),)},
        {"heads": {"drug": ("Drug", "Disease")}},
        {"most_words": 13},
    ],
)
def test_labels_of_other_settings_are_refused(tmp_path: Path, change: dict[str, object]):
    with pytest.raises(Stopped):
        run(tmp_path / "soft", stop=1)
    other = msgspec.structs.replace(SETTINGS, **change)
    with pytest.raises(UsageError, match="holds a run with other teachers, texts, or heads of the student"):
        run(tmp_path / "soft", settings=other)


def test_a_folder_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        run(tmp_path)


def test_text_without_sentences_is_an_error(tmp_path: Path):
    with pytest.raises(TrainingError, match="no sentence of the text is left"):
        label(SETTINGS, lambda: iter(()), tmp_path / "soft", teachers=Teachers, tell=lambda _: None)  # type: ignore[arg-type]


def test_what_was_seen_is_remembered_in_flat_memory():
    seen = _Seen()
    size = seen._bits.nbytes
    keys = [int(key) for key in np.random.default_rng(1).integers(0, 2**40, 20_000)]
    new = sum(seen.add(key) for key in keys)
    assert new > 19_990
    assert not any(seen.add(key) for key in keys)
    assert seen._bits.nbytes == size == 1 << 24


def test_digests_follow_content_and_names(tmp_path: Path):
    folder = tmp_path / "texts"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.txt").write_text("one", encoding="utf-8")
    (folder / "b.txt").write_text("two", encoding="utf-8")
    before = digest_of(folder)
    assert digest_of(folder) == before
    (folder / "b.txt").rename(folder / "c.txt")
    renamed = digest_of(folder)
    (folder / "c.txt").write_text("three", encoding="utf-8")
    assert len({before, renamed, digest_of(folder), digest_of(folder / "c.txt")}) == 4


def test_texts_are_read_in_order(tmp_path: Path):
    for name in ("a", "b"):
        formats.write([Document(name, f"Text {name}.")], tmp_path / f"{name}.jsonl")
    found = read_all([(tmp_path / "b.jsonl", None), (tmp_path / "a.jsonl", "jsonl")])
    assert [document.id for document in found] == ["b", "a"]
    assert iobes_tags(HEADS["drug"])[4] == "S-Drug"

"""Hugging Face dataset folders: rows, tags, splits and the card."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan import formats, tags
from medspan.errors import UsageError
from medspan.formats.hf import CARD
from medspan.formats.protocol import WriteOptions
from medspan.types import Document, Entity, Span
from strategies import documents

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "No fever. But 👩 dry cough: yes."
NOTE = Document(
    "n",
    TEXT,
    (Entity("T1", "Sign: bad", (Span(3, 8),)), Entity("T2", "Sy'm", (Span(16, 25),))),
)


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def names_of(card: str) -> list[str]:
    """The names of ClassLabel, as a reader of YAML finds them."""
    found = re.findall(r"^ +'(\d+)': (\".+\")$", card, re.MULTILINE)
    assert [int(number) for number, _ in found] == list(range(len(found)))
    return [json.loads(name) for _, name in found]


def splits_of(card: str) -> dict[str, str]:
    return dict(re.findall(r"^  - split: (\S+)\n    path: (\S+)$", card, re.MULTILINE))


def test_a_row_is_a_sentence(tmp_path: Path):
    losses = formats.write([NOTE], tmp_path / "out", "hf")
    assert losses.counts == {"document texts": 1}
    first, second = rows(tmp_path / "out" / "train.jsonl")
    assert first == {
        "id": "n#1",
        "document": "n",
        "tokens": ["No", "fever", "."],
        "starts": [0, 3, 8],
        "ner_tags": [0, 1, 0],
    }
    assert second["tokens"] == ["But", "👩", "dry", "cough", ":", "yes", "."]
    assert [TEXT[start] for start in second["starts"]] == [word[0] for word in second["tokens"]]
    assert second["ner_tags"] == [0, 0, 3, 4, 0, 0, 0]
    card = (tmp_path / "out" / CARD).read_text(encoding="utf-8")
    assert names_of(card) == ["O", "B-Sign: bad", "I-Sign: bad", "B-Sy'm", "I-Sy'm"]
    assert splits_of(card) == {"train": "train.jsonl"}


def test_splits_by_meta_and_by_option_and_one_after_another(tmp_path: Path):
    dev = NOTE.replace(meta={"split": "devel"}, entities=(Entity("T1", "New", (Span(3, 8),)),))
    out = tmp_path / "out"
    formats.write([dev, NOTE], out, "hf")
    first = rows(out / "train.jsonl")
    front = (out / CARD).read_text(encoding="utf-8").partition("\n# Named entities")[0]
    (out / CARD).write_text(front + "\n# Mine\n", encoding="utf-8")
    formats.write(
        [NOTE.replace(entities=(Entity("T1", "Late", (Span(3, 8),)),))], out, "hf", WriteOptions(split="test")
    )
    assert rows(out / "train.jsonl") == first
    assert (out / CARD).read_text(encoding="utf-8").endswith("\n---\n\n# Mine\n")
    card = (out / CARD).read_text(encoding="utf-8")
    assert list(splits_of(card)) == ["train", "validation", "test"]
    names = names_of(card)
    assert names[:3] == ["O", "B-New", "I-New"]
    assert names[-2:] == ["B-Late", "I-Late"]
    assert [names[tag] for tag in rows(out / "test.jsonl")[0]["ner_tags"]] == ["O", "B-Late", "O"]


def test_what_cannot_be_a_split_or_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="no split of this name"):
        formats.write([NOTE], tmp_path / "out", "hf", WriteOptions(split="a/b"))
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="name a folder"):
        formats.write([NOTE], tmp_path / "file", "hf")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / CARD).write_text("# Mine\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no dataset card of medspan"):
        formats.write([NOTE], tmp_path / "theirs", "hf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "theirs"]


@given(st.lists(documents(rich=False), max_size=3))
def test_tags_are_those_of_the_mentions(tmp_path_factory, found):
    out = tmp_path_factory.mktemp("hf") / "out"
    losses = formats.write(found, out, "hf")
    names = names_of((out / CARD).read_text(encoding="utf-8"))
    lines = rows(out / "train.jsonl") if (out / "train.jsonl").exists() else []
    back = []
    for row in lines:
        for first, stop, label in tags.decode([names[tag] for tag in row["ner_tags"]]):
            end = row["starts"][stop - 1] + len(row["tokens"][stop - 1])
            back.append((label, row["starts"][first], end))
    wanted = [(e.label, e.start, e.end) for document in found for e in document.entities]
    unheld = sum(count for reason, count in losses.counts.items() if "span" in reason)
    assert len(back) == len(wanted) - unheld
    assert set(back) <= set(wanted)


def test_datasets_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    dev = NOTE.replace(meta={"split": "dev"})
    formats.write([NOTE, NOTE, dev], tmp_path / "out", "hf")
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: split.num_rows for name, split in found.items()} == {"train": 4, "validation": 2}
    feature = found["train"].features["ner_tags"].feature
    assert feature.names == ["O", "B-Sign: bad", "I-Sign: bad", "B-Sy'm", "I-Sy'm"]
    assert found["validation"][0]["tokens"] == ["No", "fever", "."]
    assert found["validation"][0]["ner_tags"] == [0, 1, 0]

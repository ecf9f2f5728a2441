"""Documents become shards of sentences: held out by hash, without test sentences, the same every time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from medspan import formats
from medspan.corpora import leaks
from medspan.errors import ConfigError, DataError, TrainingError
from medspan.features.cut import cut
from medspan.train.pretrain import text as reading_text
from medspan.train.pretrain.settings import ReadingConfig, TextConfig
from medspan.train.pretrain.text import STAND_IN, Text, held_out, read_text, source_path
from medspan.types import Document
from tiny_training import tiny_document

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

READING = ReadingConfig(held_out=0.2)


def write_documents(folder: Path, count: int = 40) -> list[Document]:
    documents = [Document(f"d{i}", tiny_document(i).text) for i in range(count)]
    formats.write(documents, folder / "notes.jsonl")
    return documents


def read(folder: Path, reading: ReadingConfig = READING, **sources: TextConfig) -> Text:
    sources = sources or {"notes": TextConfig("notes.jsonl")}
    return read_text(sources, reading, folder / "text", base=folder, tell=lambda _: None)


def words_of(text: Text, sentences: list[np.ndarray]) -> list[list[str]]:
    return [[text.forms[row - 1] for row in sentence] for sentence in sentences]


def sentences_of(documents: list[Document]) -> list[list[str]]:
    return [unit.forms(document.text) for document in documents for unit in cut(document)]


def test_every_sentence_is_learnt_from_or_held_out(tmp_path: Path):
    documents = write_documents(tmp_path)
    text = read(tmp_path)
    kept = [document for document in documents if not held_out(document, 0.2)]
    others = [document for document in documents if held_out(document, 0.2)]
    assert 0 < len(others) < len(kept)
    assert words_of(text, list(text.stream())) == sentences_of(kept)
    assert words_of(text, text.held_out().sentences()) == sentences_of(others)
    counts = text.sources["notes"]
    assert (counts.documents, counts.held_out, counts.leaked) == (len(documents), len(others), 0)
    assert (counts.sentences, counts.words) == (text.sentences, text.words)
    assert text.words == sum(map(len, sentences_of(kept)))


def test_shards_and_counts_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_documents(tmp_path)
    whole = read(tmp_path)
    expected = words_of(whole, list(whole.stream()))
    monkeypatch.setattr(reading_text, "SHARD_WORDS", 100)
    monkeypatch.setattr(reading_text, "_DOCUMENTS_AT_ONCE", 3)
    text = read_text(
        {"notes": TextConfig("notes.jsonl")}, READING, tmp_path / "b", base=tmp_path, tell=lambda _: None
    )
    assert text.shards > 3
    assert words_of(text, list(text.stream())) == expected
    assert text.counts.tolist() == whole.counts.tolist()


def test_what_was_read_is_not_read_again(tmp_path: Path):
    write_documents(tmp_path)
    first = read(tmp_path)
    (tmp_path / "notes.jsonl").unlink()
    again = read(tmp_path)
    assert again.forms == first.forms
    with pytest.raises(DataError, match=r"notes\.jsonl"):
        read(tmp_path, ReadingConfig(held_out=0.3))


def test_changed_files_are_read_again_but_not_by_a_run_that_goes_on(tmp_path: Path):
    write_documents(tmp_path, 40)
    first = read(tmp_path)
    write_documents(tmp_path, 50)
    sources = {"notes": TextConfig("notes.jsonl")}
    same = read_text(sources, READING, tmp_path / "text", base=tmp_path, tell=lambda _: None, resume=True)
    assert same.words == first.words
    assert read(tmp_path).sources["notes"].documents == 50


def test_a_recipe_in_another_folder_does_not_get_the_text_of_the_first(tmp_path: Path):
    for name, count in (("a", 40), ("b", 50)):
        (tmp_path / name).mkdir()
        write_documents(tmp_path / name, count)
        text = read_text(
            {"notes": TextConfig("notes.jsonl")},
            READING,
            tmp_path / "shared",
            base=tmp_path / name,
            tell=lambda _: None,
        )
        assert text.sources["notes"].documents == count


def test_what_is_held_out_does_not_keep_the_rest_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    held: list[np.ndarray] = []
    save = reading_text._save_shard

    def spy(folder: Path, name: str, sentences: list[tuple[np.ndarray, np.ndarray]]) -> None:
        held.extend(part for sentence in sentences for part in sentence if name == "held-out")
        save(folder, name, sentences)

    monkeypatch.setattr(reading_text, "_save_shard", spy)
    write_documents(tmp_path)
    read(tmp_path)
    owners = {id(owner): owner for part in held for owner in [part if part.base is None else part.base]}
    assert sum(owner.size for owner in owners.values()) == sum(part.size for part in held) > 0


def test_of_a_folder_with_splits_only_the_one_is_read(tmp_path: Path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, first in (("train", 0), ("dev", 40), ("test", 80)):
        formats.write(
            [Document(f"d{i}", tiny_document(i).text) for i in range(first, first + 40)],
            folder / f"{name}.jsonl",
        )
    text = read(tmp_path, mine=TextConfig("mine"))
    assert text.sources["mine"].documents == 40
    assert read(tmp_path, mine=TextConfig("mine", split="dev")).sources["mine"].documents == 40
    with pytest.raises(ConfigError, match="test split"):
        source_path(TextConfig("mine", split="test"), tmp_path)
    (folder / "train.jsonl").rename(folder / "note.jsonl")
    assert source_path(TextConfig("mine"), tmp_path)[0] == folder


def test_a_single_document_is_told_how_to_become_several(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("One two three.\n\nFour five six.\n")
    with pytest.raises(TrainingError, match='format = "blocks"'):
        read(tmp_path, notes=TextConfig("notes.txt"))


def test_test_sentences_are_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    documents = write_documents(tmp_path)
    leaked = sentences_of([d for d in documents if not held_out(d, 0.2)])[0]
    key = leaks.sentence_key(" ".join(leaked), shortest=0)
    monkeypatch.setattr(reading_text, "registered_keys", lambda: frozenset({key}))
    text = read(tmp_path)
    assert leaked not in words_of(text, [*text.stream(), *text.held_out().sentences()])
    assert text.sources["notes"].leaked == sentences_of(documents).count(leaked)
    kept = read(tmp_path, ReadingConfig(held_out=0.2, keep_leaks=True))
    assert leaked in words_of(kept, list(kept.stream()))


def test_forms_beyond_the_limit_share_one(tmp_path: Path):
    write_documents(tmp_path)
    text = read(tmp_path, ReadingConfig(held_out=0.2, most_forms=5))
    assert len(text.forms) == 5
    assert text.forms[0] == STAND_IN
    assert text.counts[0] > 0


def test_a_text_without_sentences_is_an_error(tmp_path: Path):
    formats.write([Document("a", "  ")], tmp_path / "notes.jsonl")
    with pytest.raises(TrainingError, match="0 words to learn from"):
        read(tmp_path)


@pytest.mark.corpora
def test_text_of_the_catalogue_is_found_and_test_splits_are_refused(corpora_dir: Path, tmp_path: Path):
    path, format_name = source_path(TextConfig("unlabelled/mtsamples"), tmp_path)
    assert (path, format_name) == (corpora_dir / "unlabelled" / "mtsamples.txt.xz", "blocks")
    assert source_path(TextConfig("mtsamples"), tmp_path) == (path, format_name)
    path, _ = source_path(TextConfig("ner/NCBI-disease"), tmp_path)
    assert path.name.startswith("train")
    text = read(tmp_path, short=TextConfig("NCBI-disease"))
    assert text.sources["short"].source == "ner/NCBI-disease"
    assert "own" not in text.sources["short"].licence
    with pytest.raises(ConfigError, match="test split"):
        source_path(TextConfig("ner/NCBI-disease", split="test"), tmp_path)

from __future__ import annotations

import gzip
import json
import sys
import types

import pytest
import typer
from typer.testing import CliRunner

from medspan.cli.check import check
from medspan.cli.corpora import get, list_
from medspan.corpora.check import Limits, check_corpus, check_documents
from medspan.corpora.tag_check import count_invalid
from medspan.types import Document, Entity, Span

GOOD = "An\tO\nulcer\tB-Disease\n.\tO\n\n"
LONG = "".join(
    f"{word}\tO\n"
    for word in ["This", "sentence", "has", "well", "over", "forty", "five", "characters", "of", "text", "."]
)


def entity(identity, *spans):
    return Entity(identity, "Disease", tuple(Span(*span) for span in spans))


@pytest.mark.parametrize(
    ("text", "entities", "misaligned", "overlapping", "discontinuous"),
    [
        ("An ulcer.", [entity("a", (3, 8))], 0, 0, 0),
        ("An ulcer.", [entity("a", (3, 7))], 1, 0, 0),
        ("An ulcer.", [entity("a", (4, 8))], 1, 0, 0),
        ("An ulcer.", [entity("a", (3, 9))], 0, 0, 0),
        ("An ulcer.", [entity("a", (2, 8))], 1, 0, 0),  # begins with a blank
        ("a b c d", [entity("a", (0, 3)), entity("b", (2, 5))], 0, 2, 0),
        ("a b c d", [entity("a", (0, 7)), entity("b", (2, 3)), entity("c", (4, 5))], 0, 3, 0),
        ("a b c d", [entity("a", (0, 1), (4, 5)), entity("b", (2, 3))], 0, 0, 1),
        ("a b c d", [entity("a", (0, 1)), entity("b", (0, 1))], 0, 2, 0),
        ("", [], 0, 0, 0),
    ],
)
def test_spans(text, entities, misaligned, overlapping, discontinuous):
    found = check_documents([Document("d", text, tuple(entities))])
    assert (found.misaligned, found.overlapping, found.discontinuous) == (
        misaligned,
        overlapping,
        discontinuous,
    )
    assert found.labels == ({"Disease": len(entities)} if entities else {})
    assert found.empty_documents == (not text)
    if misaligned:
        assert found.misaligned_at == [f"d:{entities[0].start}-{entities[0].end}"]


@pytest.mark.parametrize(
    ("tags", "scheme", "invalid", "first"),
    [
        ("O O", "IOB2", 0, None),
        ("B-x I-x O", "IOB2", 0, None),
        ("B-x I-y O B-x B-x", "IOB2", 1, 2),
        ("B-x O I-x B-y", "IOB2", 1, 3),
        ("I-x I-x B-x O", "IOB1", 0, None),
        ("I-x O I-y O B-x", "IOB1", 1, 5),
        ("S-x B-x E-x O", "IOBES", 0, None),
        ("S-x I-x O", "IOBES", 2, 2),
        ("E-x O B-y", "IOBES", 2, 1),
    ],
)
def test_tags(tags, scheme, invalid, first):
    found = count_invalid([list(enumerate(tags.split(), 1))])
    assert (found.scheme, found.invalid, found.first_line, found.tags) == (
        scheme,
        invalid,
        first,
        len(tags.split()),
    )


def test_tags_do_not_cross_sentences():
    assert count_invalid([[(1, "B-x")], [(3, "I-x")], [(5, "B-x")]]).invalid == 1
    assert count_invalid([]).invalid == 0


def run(verb, *words):
    app = typer.Typer()
    app.command()(verb)
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def corpus(tmp_path):
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.conll").write_text(GOOD)
    return tmp_path


def test_a_good_corpus(corpus):
    result = run(check, str(corpus))
    assert result.exit_code == 0, result.output
    assert "no problem found" in result.output


def test_json(corpus):
    found = json.loads(run(check, str(corpus), "--json").stdout)
    assert found["problems"] == []
    assert list(found["splits"]) == ["train", "dev", "test"]
    train = found["splits"]["train"]
    assert (train["entities"], train["labels"], train["leaks"]) == (1, {"Disease": 1}, 0)
    assert train["tags"] == {"scheme": "IOB2", "tags": 3, "invalid": 0, "first_line": None}
    assert found["splits"]["test"]["leaks"] is None


def test_a_sentence_in_two_splits(corpus):
    (corpus / "train.conll").write_text(f"{GOOD}{LONG}\n")
    (corpus / "test.conll").write_text(f"{LONG}\n{GOOD}")
    result = run(check, str(corpus))
    assert result.exit_code == 1
    assert "1 sentences of test (100.0%) are in train too" in result.output
    assert run(check, str(corpus), "--max-duplicates", "1").exit_code == 0


def test_problems_name_no_text(corpus):
    (corpus / "train.conll").write_text("An\tO\nulcer\tI-Disease\nof\tB-Disease\n\nAn\tO\nulcer\tB-x\n\n")
    (corpus / "dev.jsonl").write_text(
        '{"id": "d7", "text": "Gastritis.", "entities": [{"start": 1, "end": 9, "label": "Disease"}]}\n'
    )
    (corpus / "dev.conll").unlink()
    (corpus / "test.conll").write_text("")
    problems = "\n".join(check_corpus(corpus).problems)
    assert "train: 1 tags cannot stand where they are in IOB2 (first in line 2)" in problems
    assert "dev: 1 of 1 entities begin or end inside a word (first: d7:1-9)" in problems
    assert "test: no documents" in problems
    assert "ulcer" not in problems
    assert "astritis" not in problems


def test_limits(corpus):
    rows = ['{"id": "a", "text": "An ulcer"}', '{"id": "b", "text": " "}']
    path = corpus / "own.jsonl"
    path.write_text("\n".join(rows) + "\n")
    assert check_corpus(path).problems == ["all: 1 of 2 documents have no word"]
    assert check_corpus(path, limits=Limits(empty=0.5)).problems == []


def test_a_leak_into_a_registered_test_split(corpora_dir, corpus):
    with gzip.open(corpora_dir / "ner/NCBI-disease/test.conll.gz", "rt", encoding="utf-8") as file:
        (corpus / "train.conll").write_text(file.read(), encoding="utf-8")
    found = check_corpus(corpus)
    assert found.splits["train"].leaks > 850
    assert any(
        "sentences of a registered test split" in problem.replace("test \n", "test ")
        for problem in found.problems
    )


def test_a_real_corpus(corpora_dir, monkeypatch):
    monkeypatch.setenv("MEDSPAN_DATA", str(corpora_dir))
    found = check_corpus("ner/NCBI-disease")
    assert found.problems == []
    assert [split.entities for split in found.splits.values()] == [5134, 787, 960]
    assert [(pair.first, pair.second, pair.sentences) for pair in found.shared] == [("train", "test", 1)]
    assert sum(split.misaligned for split in found.splits.values()) == 0


@pytest.mark.parametrize(("problems", "code"), [([], 0), (["text 3: another entity"], 1)])
def test_a_model_folder_is_replayed(tmp_path, monkeypatch, problems, code):
    (tmp_path / "config.json").write_text("{}")
    golden = types.ModuleType("medspan.model.golden")
    golden.replay = lambda folder: problems if folder == tmp_path else ["wrong folder"]
    monkeypatch.setitem(sys.modules, "medspan.model.golden", golden)
    result = run(check, str(tmp_path))
    assert result.exit_code == code
    assert (problems[0] if problems else "every golden text gives its entities") in result.output.replace(
        "\n", ""
    )
    assert json.loads(run(check, str(tmp_path), "--json").stdout)["problems"] == problems


def test_list(corpora_dir, monkeypatch):
    monkeypatch.setenv("MEDSPAN_DATA", str(corpora_dir))
    rows = [json.loads(line) for line in run(list_, "--json").stdout.splitlines()]
    assert len(rows) == 74
    by_name = {row["name"]: row for row in rows}
    assert by_name["ner/NCBI-disease"]["folder"] == str(corpora_dir / "ner/NCBI-disease")
    assert by_name["resolution/terminology/medic"]["folder"]
    monkeypatch.setenv("COLUMNS", "200")
    shown = run(list_, "--task", "assertion", "--language", "en").output
    assert "assertion/negex" in shown
    assert "ner/NCBI-disease" not in shown


def test_list_without_any_corpus(monkeypatch, tmp_path):
    monkeypatch.delenv("MEDSPAN_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert all(json.loads(line)["folder"] is None for line in run(list_, "--json").stdout.splitlines())


def test_get_writes_where_it_is_told(corpora_dir, tmp_path):
    result = run(get, "NCBI-disease", "-o", str(corpora_dir))  # there and whole: nothing to do
    assert result.exit_code == 0
    assert result.stdout.strip() == str(corpora_dir / "ner/NCBI-disease")
    failed = run(get, "standoff/mantra", "-o", str(tmp_path))
    assert failed.exit_code == 1
    assert "GPL-3.0" in str(failed.exception)

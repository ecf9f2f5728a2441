"""Terms from tables and from corpora."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import pytest

from medspan import formats
from medspan.errors import DataError, FormatError, UsageError
from medspan.types import Document, Entity, Span
from medspan.weak.terms import Term, corpus_terms, read_terms, surfaces

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "content",
    [
        "term,label,id\naspirin,Drug,D1\ndry lung,Disease,\n",
        "Term;Label;ID\r\naspirin;Drug;D1\r\ndry lung;Disease;\r\n",
        "\ufeffid\tlabel\tnote\tterm\nD1\tDrug\tx\taspirin\n\n\tDisease\t\tdry lung\n",
        'term,label,id\n"aspirin",Drug,D1\ndry lung,Disease\n',
    ],
)
def test_tables(tmp_path: Path, content: str):
    path = tmp_path / "terms.csv"
    path.write_bytes(content.encode())
    found = read_terms(path, licence="MIT")
    assert list(found.terms) == [Term("aspirin", "Drug", "D1"), Term("dry lung", "Disease")]
    assert found.source.name == "terms.csv"
    assert found.source.sha256 == hashlib.sha256(content.encode()).hexdigest()
    assert (found.source.licence, found.source.terms) == ("MIT", 2)


def test_a_packed_table(tmp_path: Path):
    path = tmp_path / "terms.tsv.gz"
    path.write_bytes(gzip.compress(b"term\tlabel\naspirin\tDrug\n"))
    assert list(read_terms(path).terms) == [Term("aspirin", "Drug")]
    assert read_terms(path).source.licence == "not stated"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column 'term'"),
        ("term,id\naspirin,D1\n", "no column 'label'"),
        ("term,label\n", "holds no term"),
        ("term,label\naspirin,Drug\nsecretname,\n", ":3: a term or its label is empty"),
        ("term,label\naspirin,Drug\nsecretname\rx,Drug\n", ":3: no row of a table"),
        ('term,label\n"aspirin,Drug\nsecretname,Drug\n', "no row of a table"),
    ],
)
def test_malformed_tables(tmp_path: Path, content: str, message: str):
    path = tmp_path / "terms.csv"
    path.write_bytes(content.encode())
    with pytest.raises(FormatError) as caught:
        read_terms(path)
    assert message in str(caught.value)
    assert "secretname" not in str(caught.value)


def test_no_such_table(tmp_path: Path):
    with pytest.raises(UsageError, match="no such file of terms"):
        read_terms(tmp_path / "terms.csv")


def annotated(text: str, *spans: tuple[int, int, str]) -> Document:
    return Document(
        "d", text, tuple(Entity(f"T{i}", label, (Span(a, b),)) for i, (a, b, label) in enumerate(spans))
    )


def test_surfaces_of_a_corpus():
    first = annotated("flu and cold and flu", (0, 3, "Disease"), (8, 12, "B"), (17, 20, "Disease"))
    second = annotated("a cold flu x", (2, 6, "A"), (7, 10, "Virus"))
    assert surfaces([first, second]) == [Term("cold", "A"), Term("flu", "Disease")]
    assert surfaces([first], inside_only=True) == [Term("cold", "B")]
    split = Entity("T", "X", (Span(0, 3), Span(8, 12)))
    assert surfaces([Document("d", "flu and cold", (split,))]) == []


def test_a_corpus_by_path(tmp_path: Path):
    formats.write([annotated("flu.", (0, 3, "Disease"))], tmp_path / "train.jsonl")
    formats.write([annotated("none.")], tmp_path / "dev.jsonl")
    found = corpus_terms(tmp_path, licence="CC0-1.0")
    assert list(found.terms) == [Term("flu", "Disease")]
    assert found.source.name == f"{tmp_path.name} (train)"
    assert found.source.licence == "CC0-1.0"
    assert found.source.sha256 == hashlib.sha256((tmp_path / "train.jsonl").read_bytes()).hexdigest()
    with pytest.raises(DataError, match="annotates nothing"):
        corpus_terms(tmp_path, "dev")


@pytest.mark.corpora
def test_a_corpus_of_the_catalogue(corpora_dir: Path):  # noqa: ARG001 - must be there
    found = corpus_terms("swedish/1177", "dev")
    assert found.source.licence == "CC BY-SA 4.0"
    assert found.source.name == "swedish/1177 (dev)"
    assert {term.label for term in found.terms} == {
        "Disorder_Finding",
        "Pharmaceutical_Drug",
        "Body_Structure",
    }

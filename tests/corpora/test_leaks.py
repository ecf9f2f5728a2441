from __future__ import annotations

import random

import pytest

from medspan.corpora import (
    find_leaks,
    keys_of,
    leaking_sentences,
    load,
    local_test_keys,
    refuse_large,
    registered_keys,
    sentence_key,
    sentences_of,
)
from medspan.corpora.leaks import Leaks, normalized, pack_keys, unpack_keys
from medspan.errors import TrainingError
from medspan.types import Document, Span

LONG = "Patients with severe hypertension (n = 12) were given 5 mg/day."
OTHER = "A second sentence that is also quite long and stands elsewhere."


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("p < 0.05", "p005"),
        ("IL-2 Gene", "il2gene"),
        ("", ""),
        (" ...\n", ""),
        ("Größe µg β", "größeµgβ"),
        ("\U0001f600 a\u200bb", "ab"),
    ],
)
def test_normalized(text, letters):
    assert normalized(text) == letters


@pytest.mark.parametrize(
    "other",
    [
        LONG.upper(),
        LONG.replace("(", "( "),
        LONG.replace(" ", "\n"),
        LONG.replace("5 mg/day.", "5  MG / day"),
    ],
)
def test_the_same_sentence_written_otherwise(other):
    assert sentence_key(LONG) == sentence_key(other, shortest=0)


@pytest.mark.parametrize(
    ("text", "counts"),
    [("a" * 44, False), ("a" * 45, True), ("." * 60, False), ("", False), (" " * 44 + "a", True)],
)
def test_a_test_sentence_has_45_characters(text, counts):
    assert (sentence_key(text) is not None) is counts


def test_a_lone_surrogate_has_a_key():
    assert sentence_key("a" * 44 + "\ud800") is not None


def test_marked_sentences_come_first():
    document = Document("d", "One two. Three four.", sentences=(Span(0, 20),))
    assert list(sentences_of(document)) == [Span(0, 20)]
    assert len(sentences_of(document.replace(sentences=()))) == 2


def test_find_leaks():
    keys = keys_of([Document("test", f"{LONG} Short one.")])
    assert len(keys) == 1
    documents = [
        Document("a", f"{OTHER} {LONG.upper()}"),
        Document("b", OTHER),
        Document("c", LONG, sentences=(Span(0, len(LONG)),)),
        Document("d", "Short one."),
        Document("e", ""),
    ]
    leaks = find_leaks(documents, keys)
    assert leaks.skip == (frozenset({1}), frozenset(), frozenset({0}), frozenset(), frozenset())
    assert (leaks.count, leaks.sentences, leaks.share) == (2, 5, 0.4)
    assert leaking_sentences(documents[0], keys) == [1]
    assert find_leaks([], keys).share == 0


@pytest.mark.parametrize(
    ("leaking", "limit", "is_refused"), [(5, 0.05, False), (6, 0.05, True), (6, 0.1, False), (0, 0, False)]
)
def test_refuse_large(leaking, limit, is_refused):
    leaks = Leaks((frozenset(range(leaking)),), 100)
    if not is_refused:
        refuse_large(leaks, "mine", largest_share=limit)
        return
    with pytest.raises(TrainingError, match=r"mine: 6 of 100 sentences \(6\.0%\).*limit of 5%"):
        refuse_large(leaks, "mine", largest_share=limit)


@pytest.mark.parametrize("count", [0, 1, 300, 50_000])
def test_packed_keys(count):
    keys = frozenset(random.Random(count).sample(range(1 << 40), count))  # noqa: S311 - no secret
    assert unpack_keys(pack_keys(keys)) == keys
    assert unpack_keys(pack_keys(frozenset({0, (1 << 40) - 1}))) == {0, (1 << 40) - 1}


def test_shipped_keys_need_no_corpora(monkeypatch):
    monkeypatch.delenv("MEDSPAN_DATA", raising=False)
    assert len(registered_keys()) > 70_000


def test_shipped_keys_hold_the_test_splits(corpora_dir, monkeypatch):
    monkeypatch.setenv("MEDSPAN_DATA", str(corpora_dir))
    names = ["ner/NCBI-disease", "ner/BC2GM", "standoff/ncbi-disease", "standoff/e3c-es", "swedish/wiki"]
    for name, keys in local_test_keys(names).items():
        absent = len(keys - registered_keys())
        # Sentences of documents without marks move with the splitter: a few may, before the keys are made anew.
        allowed = 0 if name.startswith("ner/") else 0.01 * len(keys)
        assert absent <= allowed, f"{name}: {absent} keys are not shipped: run tools/make_test_keys.py"


def test_leaks_between_corpora_are_those_the_data_tells_of(corpora_dir, monkeypatch):
    monkeypatch.setenv("MEDSPAN_DATA", str(corpora_dir))
    bionlp09 = local_test_keys(["ner/BioNLP09"])["ner/BioNLP09"]
    jnlpba = keys_of([*load("ner/JNLPBA", "train"), *load("ner/JNLPBA", "dev")])
    assert len(bionlp09 & jnlpba) / len(bionlp09) > 0.99  # 2410 of 2417 in the table of the data
    assert find_leaks(load("ner/NCBI-disease", "train")).count <= 2

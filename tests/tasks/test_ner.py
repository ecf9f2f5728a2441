"""The recognizer: nothing but a text decides what is found in it."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from medspan.errors import UsageError
from medspan.features import forms
from medspan.model import tagger
from medspan.model.tagger import resolve_overlaps
from medspan.pipeline import load
from medspan.tasks import ner
from medspan.text.tokenize import tokenize
from medspan.types import Document, Entity, Relation, Span
from strategies import texts
from trained import TEXTS, model_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.tasks.ner import EntityRecognizer


@pytest.fixture(scope="module")
def nlp() -> EntityRecognizer:
    return load(model_folder(), device="cpu", threads=1)


def mentions(document: Document) -> list[tuple[str, str]]:
    return [(document.text_of(entity), entity.label) for entity in document.entities]


def test_it_finds_what_it_learnt(nlp: EntityRecognizer):
    document = nlp(TEXTS[0], id="n")
    assert document.id == "n"
    assert mentions(document) == [("grey fever", "Disease"), ("zelvorin", "Drug")]
    assert all(entity.score is not None and 0.5 < entity.score <= 1 for entity in document.entities)
    assert [entity.id for entity in document.entities] == ["T1", "T2"]


def test_order_batch_and_threads_change_nothing(nlp: EntityRecognizer, monkeypatch: pytest.MonkeyPatch):
    alone = [nlp(text).entities for text in TEXTS]
    assert [document.entities for document in nlp.annotate(TEXTS)] == alone
    order = random.Random(3).sample(range(len(TEXTS)), len(TEXTS))  # noqa: S311 - no secret
    shuffled = list(nlp.annotate([TEXTS[i] for i in order]))
    assert [shuffled[order.index(i)].entities for i in range(len(TEXTS))] == alone
    two = load(model_folder(), device="cpu", threads=2)
    assert [document.entities for document in two.annotate(TEXTS)] == alone
    for budget in (1, 37):
        small = load(model_folder(), device="cpu", threads=1, batch_words=budget)
        assert [document.entities for document in small.annotate(TEXTS)] == alone
    monkeypatch.setattr(tagger, "READ_WORDS", 3)
    assert [document.entities for document in nlp.annotate(TEXTS)] == alone
    monkeypatch.setattr(ner, "_CHUNK_DOCUMENTS", 2)
    assert [document.entities for document in nlp.annotate(TEXTS)] == alone


def test_threads_may_share_a_recognizer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forms, "_LARGEST_TABLE", 1)  # each text empties the table of forms
    shared = load(model_folder(), device="cpu", threads=1)
    asked = [f"{text} number{i}" for i in range(12) for text in TEXTS[:3]]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(shared, asked))
    fresh = load(model_folder(), device="cpu", threads=1)
    assert [document.entities for document in together] == [fresh(text).entities for text in asked]


@given(text=texts(max_size=60))
def test_any_text_gives_entities_on_word_borders(nlp: EntityRecognizer, text: str):
    document = nlp(text)
    assert document.text == text
    words = tokenize(text)
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    assert all(entity.start in starts and entity.end in ends for entity in document.entities)


def test_entities_and_relations_a_document_had_are_replaced(nlp: EntityRecognizer):
    old = (Entity("X", "Old", (Span(0, 2),)), Entity("Y", "Old", (Span(3, 4),)))
    given_ = Document("d", TEXTS[0], old, (Relation("R", "r", "X", "Y"),), meta={"source": "invented"})
    (found,) = nlp.annotate([given_])
    assert mentions(found) == [("grey fever", "Disease"), ("zelvorin", "Drug")]
    assert found.relations == ()
    assert found.meta == {"source": "invented"}


def test_labels_choose_heads():
    drugs = load(model_folder(), labels=["Drug"])
    assert drugs.labels == ("Drug",)
    assert mentions(drugs(TEXTS[0])) == [("zelvorin", "Drug")]
    assert load(model_folder(), labels=[])(TEXTS[0]).entities == ()
    assert load(model_folder()).labels == ("Disease", "Drug")


def test_an_unknown_label_names_the_nearest():
    with pytest.raises(UsageError, match=r"model 'invented' finds no 'Disaese'; did you mean Disease\?"):
        load(model_folder(), labels=["Disaese"])


def test_min_score_drops_what_is_below(nlp: EntityRecognizer):
    everything = [entity for document in nlp.annotate(TEXTS) for entity in document.entities]
    limit = sorted(entity.score or 0 for entity in everything)[len(everything) // 2]
    strict = load(model_folder(), min_score=limit)
    kept = [entity for document in strict.annotate(TEXTS) for entity in document.entities]
    assert len(kept) == sum((entity.score or 0) >= limit for entity in everything)
    assert all(entity.score == 1 for entity in load(model_folder(), min_score=1)(TEXTS[0]).entities)


@pytest.mark.parametrize("score", [-0.1, 7, float("nan")])
def test_a_confidence_that_is_none_is_refused(score: float):
    """It would drop everything, or nothing, without a word."""
    with pytest.raises(UsageError, match=f"min_score {score:g}: a confidence is from 0 to 1"):
        load(model_folder(), min_score=score)


def test_asking_for_cuda_where_there_is_none_is_an_error():
    runtime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in runtime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(UsageError, match=r"device cuda: this onnxruntime has no CUDA; .*--device cpu"):
        load(model_folder(), device="cuda")
    with pytest.raises(UsageError, match="unknown device 'tpu'; known: auto, cpu, cuda"):
        load(model_folder(), device="tpu")  # type: ignore[arg-type]


def test_annotate_is_lazy_and_holds_a_chunk_at_most(nlp: EntityRecognizer):
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "grey fever"

    stream = nlp.annotate(endless())
    assert taken == 0
    assert mentions(next(stream)) == [("grey fever", "Disease")]
    assert taken == ner._CHUNK_DOCUMENTS
    for _ in range(ner._CHUNK_DOCUMENTS):
        next(stream)
    assert taken == 2 * ner._CHUNK_DOCUMENTS


def test_long_documents_make_small_chunks(nlp: EntityRecognizer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ner, "_CHUNK_CHARACTERS", 100)
    taken = []
    stream = nlp.annotate(taken.append(i) or "x " * 60 for i in range(5))
    next(stream)
    assert taken == [0]
    assert len(list(stream)) == 4


def test_no_documents(nlp: EntityRecognizer):
    assert list(nlp.annotate([])) == []


def test_a_line_of_a_megabyte(nlp: EntityRecognizer):
    line = "no sign of grey fever after zelvorin , as expected " * 20_000
    assert len(line) > 1_000_000
    started = time.perf_counter()
    starts = [entity.start for entity in nlp(line).entities]
    assert time.perf_counter() - started < 120
    # Nothing is cut: mentions are found from the first to the last percent of the line.
    assert {start * 100 // len(line) for start in starts} == set(range(100))


def test_thousands_of_one_word_documents(nlp: EntityRecognizer):
    found = list(nlp.annotate(["zelvorin" if i % 2 else f"w{i}" for i in range(5_000)]))
    assert [document.id for document in found] == [str(i) for i in range(5_000)]
    one = nlp("zelvorin").entities
    assert all(document.entities == one for document in found[1::2])


FOUND = [(0, 4, "A", 0.9), (2, 6, "A", 0.99), (3, 9, "B", 0.6), (9, 12, "A", 0.5)]


@pytest.mark.parametrize(("policy", "kept"), [("all", [0, 2, 3]), ("longest", [2, 3]), ("best", [0, 3])])
def test_overlaps(policy: str, kept: list[int]):
    expected = [FOUND[i] for i in kept]
    assert resolve_overlaps(FOUND, policy) == expected  # type: ignore[arg-type]
    assert resolve_overlaps(FOUND[::-1], policy) == expected  # type: ignore[arg-type]
    assert resolve_overlaps([], policy) == []  # type: ignore[arg-type]

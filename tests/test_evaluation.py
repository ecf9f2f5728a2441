"""``evaluate``: documents in, report out."""

from __future__ import annotations

import pytest
from hypothesis import given

import medspan
from medspan.errors import DataError
from medspan.evaluation import evaluate, mention_key, mention_surfaces
from medspan.metrics import Score
from medspan.report import Confusion
from medspan.types import Document, Entity, Span
from strategies import documents

TEXT = "Renal failure after lithium; renal failure again, and chest and back pain."
#       0     6       14    20       29    35                54    60  64   69


def entity(label: str, *borders: int, score: float | None = None) -> Entity:
    spans = tuple(map(Span, borders[::2], borders[1::2]))
    return Entity(f"{label}{borders}{score}", label, spans, score)


def document(*entities: Entity, name: str = "d", text: str = TEXT) -> Document:
    return Document(name, text, entities)


GOLD = document(
    entity("Disease", 0, 13),
    entity("Chemical", 20, 27),
    entity("Disease", 29, 42),
    entity("Disease", 54, 59, 69, 73),
    entity("Disease", 64, 73),
)


def test_public_name():
    assert medspan.evaluate is evaluate


def test_scores_by_hand():
    predicted = document(
        entity("Disease", 0, 13),  # hit
        entity("Gene", 20, 27),  # wrong label
        entity("Disease", 35, 42),  # left border
        entity("Disease", 54, 59, 69, 73),  # hit of a discontinuous one
        entity("Gene", 43, 48),  # invented
    )
    report = evaluate([GOLD], [predicted], resamples=50)
    assert report.micro == Score.of(2, 3, 3)
    assert [(item.label, item.score) for item in report.labels] == [
        ("Chemical", Score.of(0, 0, 1)),
        ("Disease", Score.of(2, 1, 2)),
        ("Gene", Score.of(0, 2, 0)),
    ]
    assert report.macro.f1 == pytest.approx((0 + 4 / 7 + 0) / 3)
    assert (report.exact.correct, report.exact.incorrect, report.exact.missing, report.exact.spurious) == (
        (3, 1, 1, 1)
    )
    assert report.partial.f1 == pytest.approx(2 * 3.5 / 10)
    assert (report.type_only.correct, report.type_only.incorrect) == (3, 1)
    fates = {row.label: row for row in report.label_errors}
    assert (fates["Disease"].correct, fates["Disease"].left, fates["Disease"].missed) == (2, 1, 1)
    assert (fates["Chemical"].other_label, fates["Gene"].invented) == (1, 1)
    assert report.confusions == (Confusion("Chemical", "Gene", 1, 0),)
    assert {(group.kind, group.surface, group.guess) for group in report.errors} == {
        ("label", "lithium", ""),
        ("border", "renal failure", "failure"),
        ("missed", "back pain", ""),
        ("invented", "again", ""),
    }


def test_token_micro_is_counted_by_word_and_prefix():
    predicted = document(entity("Disease", 6, 13), entity("Chemical", 20, 27))
    gold = document(entity("Disease", 0, 13), entity("Chemical", 20, 27))
    # gold B-D I-D B-C, predicted O B-D B-C: one hit, one word missed, one with another prefix
    assert evaluate([gold], [predicted]).token_micro == Score.of(1, 1, 2)


@pytest.mark.parametrize(
    ("borders", "fate"),
    [
        ((6, 13), "left"),
        ((0, 10), "right"),
        ((2, 10), "both"),
        ((0, 5, 6, 13), "inner"),
        ((14, 19), "missed"),
    ],
)
def test_border_errors(borders: tuple[int, ...], fate: str):
    report = evaluate([document(entity("A", 0, 13))], [document(entity("A", *borders))])
    assert getattr(report.label_errors[0], fate) == 1
    assert report.label_errors[0].correct == 0


def test_perfect():
    report = evaluate([GOLD], [GOLD])
    for score in (
        report.micro,
        report.macro,
        report.exact,
        report.partial,
        report.type_only,
        report.token_micro,
    ):
        assert (score.precision, score.recall, score.f1) == (1, 1, 1)
    assert report.intervals.f1 is None  # one document cannot be resampled
    assert report.errors == report.confusions == report.notes == ()


@pytest.mark.parametrize(
    ("gold", "predicted", "note"),
    [([], [], "no gold"), ([document()], [GOLD], "no gold"), ([GOLD], [document()], "no predicted")],
)
def test_degenerate_input_scores_0_and_says_so(gold, predicted, note):
    report = evaluate(gold, predicted, seen=["x"])
    assert report.micro.f1 == report.macro.f1 == report.partial.f1 == report.token_micro.f1 == 0
    assert any(note in line for line in report.notes)
    assert report.calibration is None
    for shown in (report.table(), report.to_markdown(), report.to_html(), report.to_json()):
        assert shown


def test_repeated_mentions_count_once_with_the_best_score():
    gold = document(entity("A", 0, 5), Entity("again", "A", (Span(0, 5),)))
    predicted = document(*(entity("A", 0, 5, score=score) for score in (None, 0.3, 0.9, 0.6)))
    report = evaluate([gold], [predicted])
    assert report.micro == Score.of(1, 0, 0)
    assert (report.counted.duplicates_gold, report.counted.duplicates_predicted) == (1, 3)
    assert report.calibration is not None
    assert report.calibration.bins[9].mean_score == 0.9
    assert len(report.notes) == 2


def test_labels_chosen_and_renamed():
    predicted = document(entity("DISO", 0, 13), entity("Gene", 20, 27), entity("DISO", 29, 42))
    report = evaluate([GOLD], [predicted], labels=["Disease"], label_map={"DISO": "Disease"})
    assert report.micro == Score.of(2, 0, 2)
    assert report.counted.ignored_gold == {"Chemical": 1}
    assert report.counted.ignored_predicted == {"Gene": 1}
    assert report.settings.labels == ("Disease",)
    assert report.settings.label_map == {"DISO": "Disease"}
    assert "Gene (1)" in " ".join(report.notes)


def test_labels_merged_by_renaming_count_once():
    gold = document(entity("Gene", 0, 5), entity("Protein", 0, 5))
    assert evaluate([gold], [gold], label_map={"Protein": "Gene"}).micro == Score.of(1, 0, 0)


def test_documents_are_paired_by_id_in_any_order():
    gold = [document(entity("A", 0, 5), name=name) for name in "abc"]
    assert evaluate(gold, gold[::-1]) == evaluate(gold, gold)


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        (["a", "b"], ["a"], "gold documents have no prediction: 'b'; compare the same documents"),
        (["a"], ["a", "b"], "predicted documents have no gold: 'b'"),
        (["a", "a"], ["a"], "the gold documents have an id more than once: 'a'"),
        (["a"], ["a", "a"], "the predicted documents have an id more than once: 'a'"),
        (list("abcdefgh"), [], "'a', 'b', 'c', 'd', 'e' and 3 more"),
    ],
)
def test_unpaired_documents(gold: list[str], predicted: list[str], message: str):
    with pytest.raises(DataError) as caught:
        evaluate([document(name=name) for name in gold], [document(name=name) for name in predicted])
    assert message in str(caught.value)


def test_changed_text_is_refused_without_quoting_it():
    with pytest.raises(DataError, match="gold and predicted texts differ: 'd'") as caught:
        evaluate([document()], [document(text="Patient Anna Svensson")])
    assert "Anna" not in str(caught.value)


def test_by_length():
    gold = document(entity("A", 0, 5), entity("A", 0, 13), entity("A", 0, 27), entity("A", 0, 48))
    predicted = document(entity("A", 0, 5), entity("A", 0, 19))
    found = {bucket.name: bucket.score for bucket in evaluate([gold], [predicted]).by_length}
    assert found == {
        "1": Score.of(1, 0, 0),
        "2": Score.of(0, 0, 1),
        "3": Score.of(0, 1, 0),
        "4": Score.of(0, 0, 1),
        "5+": Score.of(0, 0, 1),
    }


def test_by_seen():
    train = document(entity("Other", 0, 14), name="t", text="RENAL\n failure")
    predicted = document(entity("Disease", 0, 13), entity("Chemical", 20, 27), entity("Disease", 43, 48))
    report = evaluate([GOLD], [predicted], seen=mention_surfaces([train]))
    assert report.by_seen is not None
    assert {bucket.name: bucket.score for bucket in report.by_seen} == {
        "seen": Score.of(1, 0, 1),
        "unseen": Score.of(1, 1, 2),
    }
    assert evaluate([GOLD], [predicted]).by_seen is None


def test_surfaces_of_discontinuous_mentions_are_compared_part_by_part():
    assert mention_surfaces([GOLD]) == {"renal failure", "lithium", "chest pain", "back pain"}
    report = evaluate([GOLD], [GOLD], seen=["Chest  Pain"])
    assert report.by_seen is not None
    assert report.by_seen[0].score == Score.of(1, 0, 0)


def test_mention_key():
    assert mention_key(" Straße\tB ") == mention_key("STRASSE b")


def test_confidences_are_held_against_strict_hits():
    predicted = document(entity("Disease", 0, 13, score=0.9), entity("Disease", 35, 42, score=0.8))
    found = evaluate([GOLD], [predicted]).calibration
    assert found is not None
    assert found.expected_error == pytest.approx((0.1 + 0.8) / 2)


def test_impossible_scores_are_refused():
    with pytest.raises(DataError, match="a score must be a probability"):
        evaluate([GOLD], [document(entity("Disease", 0, 13, score=7.0))])


def test_intervals_are_per_label_too():
    docs = [document(entity("A", 0, 5), entity("B", 6, 13), name=str(i)) for i in range(20)]
    guesses = [document(*doc.entities[: 1 + i % 2], name=doc.id) for i, doc in enumerate(docs)]
    report = evaluate(docs, guesses, seed=3, resamples=300)
    assert not report.notes
    assert evaluate(docs[:9], guesses[:9]).notes == ("Intervals drawn from only 9 documents say little.",)
    first, second = (item.f1_interval for item in report.labels)
    assert first is not None
    assert second is not None
    assert (first.low, first.high) == (1, 1)
    assert 0.3 < second.low < report.labels[1].score.f1 < second.high < 0.95
    assert evaluate(docs, guesses, resamples=0).intervals.f1 is None


@given(documents(), documents())
def test_any_document(first: Document, second: Document):
    gold, predicted = (
        first,
        second.replace(id=first.id, text=first.text, entities=(), relations=(), sentences=(), sections=()),
    )
    report = evaluate([gold], [gold], resamples=5)
    assert report.micro.fp == report.micro.fn == 0
    missed = evaluate([gold], [predicted], resamples=5)
    assert missed.micro.tp == 0
    assert missed.to_html().encode()
    assert missed.to_json(include_text=True).encode()
    assert missed.to_markdown(include_text=True).encode()

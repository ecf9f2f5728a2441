"""Strict scores equal those of seqeval.

On valid IOB2 and IOBES tags seqeval's strict mode, its default mode and conlleval agree, and so do we. On
invalid tags seqeval's strict mode drops what does not begin with B or S; we read them as its default mode and
conlleval do.
"""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.evaluation import evaluate
from medspan.tags import decode, encode
from tagged import documents_of

strict_mode = pytest.importorskip("seqeval.metrics.v1").precision_recall_fscore_support
default_mode = pytest.importorskip("seqeval.metrics.sequence_labeling").precision_recall_fscore_support
seqeval_scheme = pytest.importorskip("seqeval.scheme")

LABELS = ("A", "B-C", "D")


@st.composite
def sentence(draw: st.DrawFn, prefixes: str) -> tuple[list[str], list[str]]:
    """Gold tags, and tags that agree with them about half of the time."""
    tags = ["O", *(f"{prefix}-{label}" for prefix in prefixes for label in LABELS)]
    gold = draw(st.lists(st.sampled_from(tags), min_size=1, max_size=12))
    found = [draw(st.one_of(st.just(tag), st.sampled_from(tags))) for tag in gold]
    return gold, found


def compare(sentences: list[tuple[list[str], list[str]]], scorer) -> None:
    gold, found = ([pair[side] for pair in sentences] for side in (0, 1))
    report = evaluate(documents_of(gold), documents_of(found), resamples=0)
    by_label = scorer(gold, found, zero_division=0)
    ours = [
        (item.score.precision, item.score.recall, item.score.f1, item.score.support) for item in report.labels
    ]
    assert [tuple(map(float, row)) for row in zip(*by_label, strict=True)] == [
        pytest.approx(row) for row in ours
    ]
    if not ours:
        return  # seqeval's averages of nothing are not defined
    for average, score in (("micro", report.micro), ("macro", report.macro)):
        theirs = scorer(gold, found, average=average, zero_division=0)
        assert theirs[:3] == pytest.approx((score.precision, score.recall, score.f1))


@pytest.mark.parametrize(("scheme", "prefixes"), [("IOB2", "BI"), ("IOBES", "BIES")])
@given(data=st.data())
def test_strict_mode_on_valid_tags(scheme: str, prefixes: str, data: st.DataObject):
    drawn = data.draw(st.lists(sentence(prefixes), min_size=1, max_size=5))
    valid = [tuple(encode(decode(tags), len(tags), scheme) for tags in pair) for pair in drawn]
    compare(valid, partial(strict_mode, scheme=getattr(seqeval_scheme, scheme)))


@pytest.mark.parametrize("prefixes", ["BI", "BIES"])
@given(data=st.data())
def test_default_mode_on_any_tags(prefixes: str, data: st.DataObject):
    compare(data.draw(st.lists(sentence(prefixes), min_size=1, max_size=5)), default_mode)

"""Training of the assertion head: generated sentences and the fit."""

from __future__ import annotations

import pytest

from medspan.train.assertion.fit import Example, Settings, fit
from medspan.train.assertion.generate import generated

LABELS = ("present", "absent", "possible")


def test_generated_sentences_are_labelled_and_repeatable():
    first, again, other = (list(generated(400, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    values = {entity.attributes[0].value for document in first for entity in document.entities}
    assert values == {
        "present",
        "absent",
        "possible",
        "conditional",
        "hypothetical",
        "associated_with_someone_else",
    }
    assert all("{" not in document.text and document.entities for document in first)


def chosen(weights: dict[str, list[float]], features: list[str]) -> str:
    sums = [sum(weights.get(name, [0.0] * 3)[place] for name in features) for place in range(3)]
    return LABELS[sums.index(max(sums))]


def test_a_fit_tells_features_apart():
    examples = [
        Example(["bias", "no"], frozenset({"absent"})),
        Example(["bias", "maybe"], frozenset({"possible"})),
        Example(["bias"], frozenset({"present"})),
    ] * 20
    weights = fit(examples, LABELS)
    assert chosen(weights, ["bias", "no"]) == "absent"
    assert chosen(weights, ["bias", "maybe"]) == "possible"
    assert chosen(weights, ["bias"]) == "present"
    assert weights == fit(examples, LABELS)


def test_an_example_that_allows_several_labels_only_forbids_the_others():
    open_ended = frozenset({"present", "possible"})
    examples = [Example(["bias", "x"], open_ended), Example(["bias", "no"], frozenset({"absent"}))] * 20
    weights = fit(examples, LABELS)
    assert chosen(weights, ["bias", "no"]) == "absent"
    present, absent, possible = weights["x"]
    assert absent < present
    assert present == pytest.approx(possible)


def test_rare_features_are_left_out():
    examples = [Example(["often"], frozenset({"absent"}))] * 5 + [Example(["once"], frozenset({"absent"}))]
    assert set(fit(examples, LABELS, Settings(min_count=2))) == {"often"}

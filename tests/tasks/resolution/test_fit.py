"""Evidence, and the ranking that is learnt from annotated mentions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import invented
from medspan.tasks.resolution.annotated import Mention
from medspan.tasks.resolution.evidence import AT, FEATURES, evidence_of
from medspan.tasks.resolution.fit import Example, fit_ranking
from medspan.tasks.resolution.learning import example_of
from medspan.tasks.resolution.ranking import Ranker, Scorer
from medspan.tasks.resolution.scoring import Candidates, fit_scoring
from medspan.tasks.resolution.spec import Scoring, Unit
from medspan.tasks.resolution.terms import Kind, Name
from medspan.tasks.resolution.twins import twins_of
from medspan.tasks.resolution.weights import default_ranking

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.tasks.resolution.index import Index

MORE = (
    Name("X:4", "lung trouble", Kind.MENTION, count=1),
    Name("X:5", "lung trouble", Kind.MENTION, count=5),
    Name("OMIM:1", "Grey fever", Kind.PREFERRED),
    Name("OMIM:1", "ash fever"),
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return invented.make_index(tmp_path_factory.mktemp("fit") / "index", MORE)


def ids(index: Index, concepts: np.ndarray) -> list[str]:
    return [index.ids[int(concept)] for concept in concepts]


def test_what_is_known_of_a_name_met_exactly(index: Index) -> None:
    evidence = evidence_of(index, "lung trouble", only_exact=True)
    assert ids(index, evidence.concepts) == ["X:4", "X:5"]
    assert evidence.is_met.all()
    assert evidence.table.shape == (2, len(FEATURES))
    assert evidence.table[:, AT["share"]] == pytest.approx([1 / 6, 5 / 6])
    assert evidence.table[:, AT["covered"]] == pytest.approx([1, 1])


def test_words_of_names_and_mentions(index: Index) -> None:
    evidence = evidence_of(index, "cancer of kidney type 2", only_exact=False)
    row = ids(index, evidence.concepts).index("X:3")
    table = {name: evidence.table[row, at] for name, at in AT.items()}
    assert not evidence.is_exact
    assert table["name_covered"] == pytest.approx(1.0)
    assert 0 < table["mention_covered"] < 1
    assert table["covered"] == table["mention_covered"]
    assert table["same_numbers"] == 0


def test_mentions_that_do_not_count_are_no_candidates(index: Index) -> None:
    rows = {index.ids[int(index.concept[row])]: int(row) for row in index.with_plain_key("lung trouble")}
    all_but_one = evidence_of(index, "lung trouble", only_exact=True, without={rows["X:5"]: 4})
    assert all_but_one.table[:, AT["share"]] == pytest.approx([0.5, 0.5])
    gone = evidence_of(index, "lung trouble", only_exact=True, without={rows["X:5"]: 5})
    assert ids(index, gone.concepts) == ["X:4"]
    none = evidence_of(index, "lung trouble", only_exact=False, without={rows["X:4"]: 1, rows["X:5"]: 5})
    assert not none.is_exact
    assert np.isfinite(none.table).all()


def test_what_is_met_is_the_same_deep_or_not(index: Index) -> None:
    shallow = evidence_of(index, "cold", only_exact=True)
    deep = evidence_of(index, "cold", only_exact=False)
    assert len(deep.concepts) > len(shallow.concepts)
    assert (deep.table[deep.is_met] == shallow.table).all()
    ranker = Ranker(default_ranking())
    assert ranker.rank(deep, 1) == ranker.rank(shallow, 1)


def test_twins_share_names(index: Index) -> None:
    numbers = {index.ids[place]: place for place in range(index.spec.concepts)}
    assert twins_of(index) == {
        numbers["X:1"]: {numbers["OMIM:1"]},
        numbers["OMIM:1"]: {numbers["X:1"]},
    }
    mention = Mention(("grey fever",), ("OMIM:1",))
    assert example_of(index, mention, {}).is_right.sum() == 1
    assert example_of(index, mention, twins_of(index)).is_right.sum() == 2


def test_forms_of_ids_that_annotators_choose_weigh_more(tmp_path: Path) -> None:
    more = (Name("OMIM:1", "Grey fever"), Name("X:2", "lung cancer", Kind.MENTION, count=9))
    index = invented.make_index(tmp_path / "index", more)
    numbers = {index.ids[place]: place for place in range(index.spec.concepts)}
    assert index.id_form(numbers["X:1"]) > 0 > index.id_form(numbers["OMIM:1"])


def test_a_scoring_is_a_sum_and_hidden_units() -> None:
    table = np.zeros((2, len(FEATURES)))
    table[0, AT["similarity"]] = 0.5
    unit = Unit({"similarity": 2.0}, 1.0, 3.0)
    scores = Scorer(Scoring({"similarity": 4.0}, (unit,)))(table)
    assert scores == pytest.approx([2 + 3 * np.tanh(2), 3 * np.tanh(1)])
    assert Scorer(Scoring({}))(table) == pytest.approx([0, 0])


def crossed(random: np.random.Generator) -> Candidates:
    """Of two candidates, that is right whose two features have the same sign."""
    table = np.zeros((2, len(FEATURES)))
    signs = random.choice([-1.0, 1.0], 2)
    table[:, AT["similarity"]] = signs
    table[:, AT["closeness"]] = (signs[0], -signs[1])
    return Candidates(table, np.asarray([True, False]), 1.0)


def test_features_are_crossed_as_no_sum_could() -> None:
    random = np.random.default_rng(1)
    scoring = fit_scoring([crossed(random) for _ in range(100)])
    assert scoring is not None
    scorer = Scorer(scoring)
    right = [scorer(each.table)[0] > scorer(each.table)[1] for each in (crossed(random) for _ in range(50))]
    assert np.mean(right) == 1.0
    assert fit_scoring([Candidates(np.zeros((2, len(FEATURES))), np.asarray([True, True]), 1.0)]) is None


def test_a_ranking_learns_from_held_out_and_own_mentions(index: Index) -> None:
    mentions = [
        Mention((text,), (wanted,))
        for text, wanted in (("lung trouble", "X:4"), ("cold lung", "X:5"), ("greyish fever", "X:1"))
    ]
    examples = [
        example_of(index, mention, {})._replace(document=f"d{number}")
        for number in range(8)
        for mention in mentions
    ]
    before = Ranker(default_ranking()).rank(evidence_of(index, "lung trouble", only_exact=True), 5)
    assert ids(index, np.asarray(before.concepts))[0] == "X:5"
    ranking, right = fit_ranking(examples, examples[:2], default_ranking(), ("c (dev)",))
    after = Ranker(ranking).rank(evidence_of(index, "lung trouble", only_exact=True), 5)
    assert ids(index, np.asarray(after.concepts))[0] == "X:4"
    assert right == 1.0
    assert ranking.learnt_from == ("c (dev)",)
    again, _ = fit_ranking(examples, examples[:2], default_ranking(), ("c (dev)",))
    assert again == ranking
    assert isinstance(examples[0], Example)

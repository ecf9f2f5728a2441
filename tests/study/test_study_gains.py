"""Runs of a study: what is trained, what is kept, what the differences are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from medspan.config import parse_recipe
from medspan.errors import DataError, UsageError
from medspan.metrics import gain_error, gain_interval
from medspan.study.gains import Budget, Run, Runs, Scored, derived, pairs_of, runs_of, train_all
from medspan.study.members import by_type, members_of

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.config import Recipe


def recipe(**train: object) -> Recipe:
    return parse_recipe(
        {
            "name": "r",
            "encoder": {"kind": "window"},
            "corpora": {name: {"source": name} for name in ("a", "b", "c", "x.1")},
            "heads": {
                "a": {"labels": ["X"], "corpora": ["a"], "kind": "softmax"},
                "rest": {"labels": ["X"], "corpora": ["b", "x.1"], "ships": False},
                "other": {"labels": ["Y"], "corpora": ["c"]},
            },
            "train": {"epochs": 7, "patience": 2, **train},
        },
        "r.toml",
    )


MEMBERS = members_of(recipe())


def test_pairs_are_of_one_type_unless_named():
    types = by_type(MEMBERS)
    pairs = pairs_of(types, ())
    assert len(pairs) == 6
    assert ("a", "x.1") in pairs
    assert pairs_of({"": MEMBERS}, ["c:a"]) == [("c", "a")]


@pytest.mark.parametrize(
    ("text", "message"),
    [("a", "write HELPER:TARGET"), ("a:d", "no corpus 'd'"), ("a:a", "names one corpus twice")],
)
def test_wrong_pairs(text: str, message: str):
    with pytest.raises(UsageError, match=message):
        pairs_of({"": MEMBERS}, [text])


def test_a_pair_is_one_run_for_both_directions():
    runs = runs_of([("a", "b"), ("b", "a"), ("c", "a")], [], [1, 2])
    assert [run.members for run in runs[: len(runs) // 2]] == [("a",), ("b",), ("a", "b"), ("a", "c")]
    assert {run.seed for run in runs} == {1, 2}


def test_only_targets_are_trained_alone():
    assert [run.members for run in runs_of([("a", "b")], [], [1])] == [("b",), ("a", "b")]


def test_corpora_together():
    runs = runs_of([("a", "b")], [("c", "a", "b"), ("b", "a")], [1])
    assert [run.members for run in runs] == [("a",), ("b",), ("c",), ("a", "b"), ("a", "b", "c")]


def test_names_of_runs_are_file_names():
    keys = {Run(members, 13).key for members in [("a", "b"), ("a b",), ("a/b",), ("x" * 300,), ("a_b",)]}
    assert len(keys) == 5
    assert "a+b-13" in keys
    assert all(len(key) < 120 and not set(key) & set("/ .") for key in keys)


def test_the_recipe_of_a_run():
    made = derived(recipe(), [MEMBERS[0], MEMBERS[2]], Budget(epochs=3), 5)
    assert set(made.corpora) == {"a", "x.1"}
    assert [(head.corpora, head.kind, head.ships) for head in made.heads.values()] == [
        (("a",), "softmax", True),
        (("x.1",), "crf", True),
    ]
    assert (made.train.epochs, made.train.patience, made.train.seed) == (3, 3, 5)
    parse_recipe(msgspec.to_builtins(made), "made")  # its names are allowed
    assert derived(recipe(), MEMBERS[:1], Budget(), 5).train.epochs == 7


class Trained:
    """Stands in for training: F1 of a corpus is looked up by what it is trained with."""

    def __init__(self, f1: dict[tuple[str, ...], float]) -> None:
        self.f1, self.made = f1, []

    def __call__(self, made: Recipe, folder: Path) -> tuple[float, dict[str, int], dict[str, Scored]]:
        self.made.append(tuple(made.corpora))
        (folder / "checkpoint.safetensors").write_bytes(b"large")
        (folder / "metrics.jsonl").write_text("{}\n")
        f1 = self.f1[tuple(sorted(made.corpora))]
        counts = ((round(100 * f1), 100 - round(100 * f1), 100 - round(100 * f1)),) * 4
        return 0.5, dict.fromkeys(made.corpora, 9), dict.fromkeys(made.corpora, Scored(f1, 1, counts))


F1 = {("a",): 0.5, ("b",): 0.6, ("a", "b"): 0.55}


def test_runs_are_kept_and_not_done_again(tmp_path: Path):
    said: list[str] = []
    wanted = runs_of([("a", "b"), ("b", "a")], [], [13])
    train = Trained(F1)
    runs = Runs(recipe(), MEMBERS, Budget(), tmp_path)
    runs.claim()
    late = iter([False, True])
    assert train_all(runs, wanted, train, tell=said.append, is_late=lambda: next(late)) == 2
    assert runs.gains() == ()
    assert train.made == [("a",)]
    again = Runs(recipe(), MEMBERS, Budget(), tmp_path)
    again.claim()
    assert train_all(again, wanted, train, tell=said.append, is_late=lambda: False) == 0
    assert train.made == [("a",), ("b",), ("a", "b")]
    assert not list(tmp_path.rglob("*.safetensors"))
    assert (tmp_path / "runs" / "a+b-13" / "metrics.jsonl").exists()
    of_a, of_b = again.gains()
    assert (of_a.target, of_a.helpers, round(of_a.gain, 4), of_a.seeds) == ("a", ("b",), 0.05, (13,))
    assert (of_b.single, of_b.joint, round(of_b.gain, 4)) == (0.6, 0.55, -0.05)
    assert of_b.interval is not None
    assert of_b.interval.low == pytest.approx(-0.05)
    assert any("run 3 of 3: a+b-13" in line for line in said)


def test_gains_are_means_over_seeds_that_both_have(tmp_path: Path):
    runs = Runs(recipe(), MEMBERS, Budget(), tmp_path)
    runs.claim()
    for run, f1 in [
        (Run(("a",), 1), 0.5),
        (Run(("a",), 2), 0.6),
        (Run(("a",), 3), 0.9),
        (Run(("a", "b"), 1), 0.6),
        (Run(("a", "b"), 2), 0.8),
    ]:
        runs.do(run, Trained({run.members: f1}))
    (gain,) = runs.gains()
    assert gain.seeds == (1, 2)
    assert gain.gain == pytest.approx(0.15)
    assert gain.interval is not None
    assert gain.interval.low < 0.15 < gain.interval.high


@pytest.mark.parametrize("other", [(recipe(seed=14), Budget()), (recipe(), Budget(epochs=2))])
def test_runs_of_another_recipe_or_budget_are_refused(tmp_path: Path, other: tuple[Recipe, Budget]):
    Runs(recipe(), MEMBERS, Budget(), tmp_path).claim()
    with pytest.raises(UsageError, match="holds runs of another recipe, or with other --epochs"):
        Runs(other[0], MEMBERS, other[1], tmp_path).claim()


def test_runs_are_shown_whatever_their_budget(tmp_path: Path):
    runs = Runs(recipe(), MEMBERS, Budget(), tmp_path)
    assert not runs.adopt()
    Runs(recipe(), MEMBERS, Budget(5), tmp_path).claim()
    assert runs.adopt()
    assert runs.budget.epochs == 5
    assert not Runs(recipe(seed=14), MEMBERS, Budget(), tmp_path).adopt()


def test_damaged_files_are_named(tmp_path: Path):
    runs = Runs(recipe(), MEMBERS, Budget(), tmp_path)
    runs.claim()
    (tmp_path / "runs" / "a-13.json").write_text("{")
    with pytest.raises(DataError, match=r"a-13\.json: is no result of a run; remove it"):
        runs.gains()
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(DataError, match=r"state\.json: is damaged"):
        runs.adopt()


def test_a_result_holds_counts_only(tmp_path: Path):
    runs = Runs(recipe(), MEMBERS, Budget(), tmp_path)
    runs.claim()
    runs.do(Run(("a",), 13), Trained(F1))
    kept = json.loads((tmp_path / "runs" / "a-13.json").read_text())
    assert set(kept) == {"members", "seed", "minutes", "sentences", "scores"}


def test_budget_in_words():
    assert Budget().describe(recipe()) == "7 epochs, all training sentences of each corpus"
    said = Budget(1, 2000).describe(recipe())
    assert said == "1 epoch, at most 2,000 training sentences of each corpus"


SAME = [[(5, 1, 1), (3, 0, 2), (0, 4, 4)]]


@pytest.mark.parametrize(
    ("after", "before", "resamples"),
    [([], [], 100), (SAME, SAME, 0), ([[(1, 0, 0)]], [[(1, 0, 0)]], 100)],
)
def test_no_interval(after: list, before: list, resamples: int):
    assert gain_interval(after, before, seed=1, resamples=resamples) is None


def test_intervals_are_paired():
    interval = gain_interval(SAME, SAME, seed=1, resamples=200)
    assert interval is not None
    assert (interval.low, interval.high) == (0.0, 0.0)
    worse = [[(max(tp - 1, 0), fp + 1, fn + 1) for tp, fp, fn in SAME[0]]]
    interval = gain_interval(worse, SAME, seed=1, resamples=500)
    assert interval is not None
    assert interval.low < interval.high <= 0
    assert interval == gain_interval(worse, SAME, seed=1, resamples=500)
    two = gain_interval([SAME[0], worse[0]], [SAME[0], SAME[0]], seed=1, resamples=500)
    assert two is not None
    assert two.low < two.high == 0.0


def test_the_error_of_a_gain_is_that_of_a_paired_comparison():
    """Of a share of n documents that are right or wrong: the root of p (1 - p) / n."""
    right, wrong = (1, 0, 0), (0, 1, 1)
    before = [right] * 200
    after = [right] * 150 + [wrong] * 50
    assert gain_error(after, before, seed=1, resamples=4000) == pytest.approx(
        (0.25 * 0.75 / 200) ** 0.5, rel=0.05
    )
    assert gain_error(after, after, seed=1, resamples=100) == 0
    assert gain_error(after[:1], before[:1], seed=1, resamples=100) == 0

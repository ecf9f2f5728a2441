"""The page of study 5: sentences chosen by ``suggest`` against sentences drawn at random."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from pages import common
from pages.common import Page, Plot, percent
from pages.content import Curves, Line, Panel

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULT = "active_learning.json"
STRATEGIES = {
    "random": "random",
    "suggest": "`suggest`",
    "suggest-by-word": "`suggest --by word`",
}
COLOURS = {"random": "black", "suggest": "vermilion", "suggest-by-word": "green"}
SHARE, ROUNDS, SEEDS = 0.6, 5, 3
"""Asked for: at most so much of the random choice's sentences; rounds and seeds."""
INTRODUCTION = """\
Which sentences should be annotated next? The training split of NCBI-disease, cut into sentences, is the
text nobody has labelled; to annotate a sentence is to uncover its gold mentions. Both strategies begin with
the same sentences, drawn at random, and add as many in each round: `suggest` those that the model of the
round before is least sure of and that differ (`medspan suggest`), *random* any. Each round trains a recipe
anew (`recipes/few-labels.toml`, where no command below names another) on what is annotated so far. F1 is
strict, on the test split, which chooses nothing.
"""
CAUTION = """\
The share is how many sentences (words) a strategy needs for the F1 the random choice has in that round,
straight between the rounds, as a share of the random choice's. Sentences taken because the model is unsure
of them are longer than others, and annotators read words: judge by both shares. The whole dev split selects
the checkpoint in every round and for every strategy; who has annotated a few hundred sentences has a
smaller one. ± is the standard deviation (n - 1) over seeds; the band of the plot lies between the lowest
and the highest seed. It is not a confidence interval.
"""


def page(result: dict[str, Any]) -> Page:
    """The page of a result file, which may be empty or in part there."""
    runs = list(result.get("runs", {}).values())
    summary = result.get("summary", {})
    plots = plots_of(summary, runs)
    lines = [
        *common.prose(INTRODUCTION),
        "## Rounds",
        "",
        *(round_lines(summary) or ["Not run yet.", ""]),
        *(line for plot in plots for line in (plot.line(), "")),
        *common.prose(CAUTION),
        *common.missing_lines(missing(runs)),
        *run_lines(runs),
        *common.how_lines(runs, RESULT),
    ]
    text = common.page_text("Active learning on NCBI-disease", RESULT, lines)
    return Page(text, plots, [answer(summary)])


def strategies(summary: dict[str, Any]) -> list[str]:
    """Those in the summary."""
    rounds = summary.get("rounds", [])
    return [name for name in STRATEGIES if rounds and name in rounds[0]]


def round_lines(summary: dict[str, Any]) -> list[str]:
    """The table of rounds that every seed of every strategy has."""
    rows = []
    for row in summary.get("rounds", []):
        for name in strategies(summary):
            figure = row[name]
            deviation = f" ± {percent(figure['std'])}" if figure["std"] is not None else ""
            rows.append(
                [
                    str(row["round"]),
                    STRATEGIES[name],
                    f"{figure['sentences']:,}",
                    f"{figure['words']:,}",
                    percent(figure["mean"]) + deviation,
                    *(
                        ("", "")
                        if name == "random"
                        else (_share(figure, "sentences"), _share(figure, "words"))
                    ),
                ]
            )
    head = (
        "round",
        "strategy",
        "sentences",
        "words",
        "test F1",
        "share of random's sentences",
        "of its words",
    )
    seeds = summary.get("seeds", [])
    asked = (
        f"Asked for: at most {SHARE:.1f} of the random choice's sentences for the same F1. Figures are of "
        f"{common.agreed(seeds)} ({common.listed(seeds)}); rounds that a seed lacks are not in the table."
    )
    return [*common.prose(asked), *common.table(head, rows)] if rows else []


def _share(figure: dict[str, Any], unit: str) -> str:
    share = figure.get(f"share_of_{unit}")
    return "not reached" if share is None else f"{share:.2f}"


def run_lines(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Every run."""
    rows = [
        [
            str(row["seed"]),
            str(row["round"]),
            STRATEGIES[row["strategy"]] if row["round"] else "start of all",
            f"{row['sentences']:,}",
            f"{row['words']:,}",
            f"{row['mentions']:,}",
            percent(row["dev"]["f1"]),
            percent(row["test"]["f1"]),
            common.interval(row["test"]),
        ]
        for row in sorted(runs, key=lambda r: (r["seed"], r["round"], list(STRATEGIES).index(r["strategy"])))
    ]
    head = (
        "seed",
        "round",
        "strategy",
        "sentences",
        "words",
        "mentions",
        "dev F1",
        "test F1",
        "95 % interval",
    )
    return ["## Every run", "", *common.table(head, rows)] if rows else []


def missing(runs: Sequence[dict[str, Any]]) -> list[str]:
    """What was asked for and is not there."""
    if not runs:
        return ["all of it"]
    seeds = sorted({row["seed"] for row in runs})
    found = [f"{SEEDS - len(seeds)} of {SEEDS} seeds"] if len(seeds) < SEEDS else []
    for name in ("random", "suggest"):
        for seed in seeds:
            done = {row["round"] for row in runs if row["seed"] == seed and name == row["strategy"]}
            if left := [str(number) for number in range(1, ROUNDS + 1) if number not in done]:
                found.append(f"{STRATEGIES[name]}, seed {seed}: round {', '.join(left)}")
    return found


def answer(summary: dict[str, Any]) -> str:
    """Study 5 in a line."""
    later = [row for row in summary.get("rounds", []) if row["round"]]
    if not later or "suggest" not in later[0]:
        return "Not run yet"
    last = later[-1]
    shares = [row["suggest"].get("share_of_sentences") for row in later]
    known = [share for share in shares if share is not None]
    said = (
        f"With {last['random']['sentences']:,} sentences `suggest` has test F1 "
        f"{percent(last['suggest']['mean'])}, random {percent(last['random']['mean'])}"
    )
    if known:
        said += (
            f"; it needs {min(known):.2f} to {max(known):.2f} of random's sentences for the same F1, by round"
        )
        words = last["suggest"].get("share_of_words")
        said += f" ({words:.2f} of its words in the last)" if words is not None else ""
    return f"{said} ({common.agreed(summary['seeds'])})"


def plots_of(summary: dict[str, Any], runs: Sequence[dict[str, Any]]) -> list[Plot]:
    """F1 against sentences and against words, with the band of the seeds."""
    if not strategies(summary):
        return []
    found = []
    for unit in ("sentences", "words"):
        lines = [_line(name, summary, runs, unit) for name in strategies(summary)]
        alt = f"Strict test F1 by annotated {unit}, `suggest` and random; bands are the range of the seeds"
        content = Curves([Panel("NCBI-disease", lines)], f"annotated {unit}", "strict test F1, %")
        found.append(Plot(f"active-learning-{unit}.svg", alt.replace("`", ""), content))
    return found


def _line(name: str, summary: dict[str, Any], runs: Sequence[dict[str, Any]], unit: str) -> Line:
    x, y, low, high = [], [], [], []
    for row in summary["rounds"]:
        mine = [r for r in runs if r["round"] == row["round"] and (not r["round"] or r["strategy"] == name)]
        values = [r["test"]["f1"] for r in mine]
        x.append(row[name][unit])
        y.append(statistics.fmean(values))
        low.append(min(values))
        high.append(max(values))
    return Line(STRATEGIES[name].replace("`", ""), COLOURS[name], x, y, low, high)

"""The page of study 3: encoders and heads, with and without bootstrapped embeddings, on medication fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pages import common
from pages.common import Page, Plot, interval, listed, percent, points
from pages.content import Mark, Points, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULT = "architectures.json"
ENCODERS = ("window", "cnn", "blstm_cnn", "char_blstm")
HEADS = {"crf": "CRF", "softmax": "softmax"}
STARTS = {"random": "random start", "vectors": "vectors", "charlm": "character LM"}
COLOURS = {
    ("random", "crf"): "black",
    ("random", "softmax"): "orange",
    ("vectors", "crf"): "blue",
    ("vectors", "softmax"): "sky",
    ("charlm", "crf"): "vermilion",
    ("charlm", "softmax"): "purple",
}
INTRODUCTION = """\
How much does the architecture matter, and does each gain from embeddings learnt on unannotated text? The
task is the medication fields of PHEE (sentences of case reports; Sun et al. 2022): drug, dosage, route,
frequency, duration, and disorder (the reason of the treatment). It is the open stand-in for the i2b2 2009
medication task, whose notes are not free. All runs share the recipe `recipes/phee.toml` but for the kind of
the encoder (each with its default widths, word vectors of 100) and of the head. *Vectors* means that the
word table starts from `medspan pretrain vectors`; a `char_blstm` has no words, and can only start from a
character language model of the same language. The dev split selects the checkpoint; the test split is only
scored. F1 is strict: both ends and the label.
"""
CAUTION = """\
Intervals are 95 %, sentences resampled (each is a document of this corpus). The official split is by
sentence, so that sentences of one abstract stand in several splits: figures on new abstracts may be
lower, and intervals wider, for all architectures alike. Fields with few mentions (see above) have wide
intervals; small differences there mean nothing. One seed says nothing about other seeds; with several,
figures are means, and the ends of intervals are means too.
"""
LOST = """\
Fields lie in each other now and then (a drug within a disorder or a route). One sequence of tags keeps the
longer one; it holds no discontinuous mention either, nor one that begins or ends within a word. They are
scored all the same: {lost} of the {mentions:,} mentions of the test split cannot be found by any of these
models; one without any other error would have F1 {best}. Of the training split {left_out} of {sentences:,}
sentences are left out, because they stand in a registered test split of another corpus: nearly all in that
of `relation/ade`, which has the same abstracts. The test split used here holds none of them.
"""


def page(result: dict[str, Any]) -> Page:
    """The page of a result file, which may be empty or in part there."""
    runs = list(result.get("runs", {}).values())
    summary = result.get("summary", {})
    plots = plots_of(summary, runs)
    lines = [
        *common.prose(INTRODUCTION),
        *corpus_lines(result.get("corpus", {})),
        "## All fields",
        "",
        *(all_lines(summary) or ["Not run yet.", ""]),
        *(line for plot in plots for line in (plot.line(), "")),
        *common.prose(CAUTION),
        *field_lines(summary),
        *common.missing_lines(missing(summary)),
        *run_lines(runs),
        *common.how_lines(runs, RESULT),
    ]
    text = common.page_text("Architectures on medication fields", RESULT, lines)
    return Page(text, plots, [answer(summary)])


def corpus_lines(corpus: dict[str, Any]) -> list[str]:
    """What is annotated, and what one sequence of tags cannot hold of it."""
    if not corpus:
        return []
    splits = {name: corpus[name] for name in ("train", "dev", "test")}
    labels = list(splits["train"]["by_label"])
    train, test = splits["train"], splits["test"]
    rows = [
        [
            name,
            f"{row['documents']:,}",
            *(f"{row['by_label'][label]:,}" for label in labels),
            str(row["discontinuous"]),
            str(row["nested_or_off_words"]),
            percent(row["best_f1"]),
        ]
        for name, row in splits.items()
    ]
    head = ("split", "documents", *labels, "discontinuous", "nested or off words", "best possible F1")
    lost = test["discontinuous"] + test["nested_or_off_words"]
    return [
        "## The corpus",
        "",
        *common.table(head, rows),
        *common.prose(
            LOST.format(
                lost=lost,
                mentions=test["mentions"],
                best=percent(test["best_f1"]),
                left_out=train["left_out"],
                sentences=train["sentences"],
            )
        ),
    ]


def all_lines(summary: dict[str, Any]) -> list[str]:
    """The main table."""
    rows = []
    for row in summary.values():
        for start, figure in row["f1"].items():
            gain = row["gain"] if start != "random" else None
            rows.append(
                [
                    f"`{row['encoder']}`",
                    HEADS[row["head"]],
                    STARTS[start],
                    listed(figure["seeds"]),
                    percent(figure["dev"]),
                    percent(figure["mean"])
                    + (f" ± {percent(figure['std'])}" if figure["std"] is not None else ""),
                    interval(figure),
                    points(gain["mean"]) if gain else "",
                    interval(gain, points) if gain else "",
                    f"{figure['minutes']:.1f}",
                ]
            )
    head = (
        "encoder",
        "head",
        "start",
        "seeds",
        "dev F1",
        "test F1",
        "95 % interval",
        "gain over random start",
    )
    return common.table((*head, "its interval", "minutes of training"), rows)


def field_lines(summary: dict[str, Any]) -> list[str]:
    """Test F1 by field."""
    figures = [(row, start, figure) for row in summary.values() for start, figure in row["f1"].items()]
    if not figures:
        return []
    labels = list(figures[0][2]["by_label"])
    rows = [
        [
            f"`{row['encoder']}`",
            HEADS[row["head"]],
            STARTS[start],
            *(percent(figure["by_label"].get(label)) for label in labels),
        ]
        for row, start, figure in figures
    ]
    return ["## By field", "", "Test F1:", "", *common.table(("encoder", "head", "start", *labels), rows)]


def run_lines(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Every run."""
    rows = [
        [
            f"`{row['encoder']}`",
            HEADS[row["head"]],
            STARTS[row["start"]],
            str(row["seed"]),
            percent(row["dev"]),
            percent(row["test"]["f1"]),
            interval(row["test"]),
            percent(row["test"]["precision"]),
            percent(row["test"]["recall"]),
            str(row["epochs"]),
            f"{row['minutes']:.1f}",
            f"{row['megabytes']:.1f}",
        ]
        for row in sorted(runs, key=_place)
    ]
    head = ("encoder", "head", "start", "seed", "dev F1", "test F1", "95 % interval", "precision", "recall")
    body = common.table((*head, "epochs run", "minutes", "model, MB"), rows)
    return ["## Every run", "", *body] if rows else []


def _place(row: dict[str, Any]) -> tuple[int, int, int, int]:
    order = (ENCODERS.index(row["encoder"]), list(HEADS).index(row["head"]), list(STARTS).index(row["start"]))
    return (*order, row["seed"])


def missing(summary: dict[str, Any]) -> list[str]:
    """What was asked for and is not there."""
    found = []
    for encoder in ENCODERS:
        for head, said in HEADS.items():
            there = summary.get(f"{encoder}-{head}", {}).get("f1", {})
            starts = ("random",) if encoder == "char_blstm" else ("random", "vectors")
            found.extend(f"`{encoder}`, {said}, {STARTS[start]}" for start in starts if start not in there)
    if not any("charlm" in row["f1"] for row in summary.values()):
        found.append("`char_blstm` from a character language model: there is none of English text")
    return found


def answer(summary: dict[str, Any]) -> str:
    """Study 3 in a line."""
    figures = [
        (figure["mean"], row, start) for row in summary.values() for start, figure in row["f1"].items()
    ]
    if not figures:
        return "Not run yet"
    best, row, start = max(figures, key=lambda item: item[0])
    said = f"Best test F1 {percent(best)}: `{row['encoder']}` with {HEADS[row['head']]}, {STARTS[start]}"
    gains = [
        row["gain"]["mean"] for row in summary.values() if row["gain"] and row["gain"]["start"] == "vectors"
    ]
    if gains:
        said += f"; vectors change F1 by {points(min(gains))} to {points(max(gains))} points, by architecture"
    return said


def plots_of(summary: dict[str, Any], runs: Sequence[dict[str, Any]]) -> list[Plot]:
    """Test F1 by encoder, head and start."""
    encoders = [kind for kind in ENCODERS if any(row["encoder"] == kind for row in summary.values())]
    series = []
    for (start, head), colour in COLOURS.items():
        marks = [_mark(summary.get(f"{kind}-{head}", {}), start, runs) for kind in encoders]
        if any(marks):
            series.append(Series(f"{STARTS[start]}, {HEADS[head]}", colour, marks))
    if not series:
        return []
    alt = "Strict test F1 by encoder, head and start, with 95 % intervals over sentences"
    return [Plot("architectures.svg", alt, Points(encoders, series, "strict test F1, %"))]


def _mark(row: dict[str, Any], start: str, runs: Sequence[dict[str, Any]]) -> Mark | None:
    if not (figure := row.get("f1", {}).get(start)):
        return None
    kind = (row["encoder"], row["head"], start)
    seeds = [r["test"]["f1"] for r in runs if (r["encoder"], r["head"], r["start"]) == kind]
    return Mark(figure["mean"], figure["low"], figure["high"], seeds)

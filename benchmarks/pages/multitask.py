"""The page of multi-task learning: single, multi-task, fine-tuned, and what was kept, corpus by corpus."""

from __future__ import annotations

import statistics
import tomllib
from typing import TYPE_CHECKING, Any

from pages import common
from pages.common import Page, Plot, interval, percent, points
from pages.content import Mark, Points, Series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RESULT = "multitask.json"
KINDS = {"single": "single", "multi-task": "multi-task", "fine-tuned": "fine-tuned"}
COLOURS = {"single": "black", "multi-task": "sky", "fine-tuned": "blue", "kept": "vermilion"}
LEAST_MEAN, LEAST_ONE = 0.007, -0.001
FEWEST = {"ncbi-disease": 0.009, "cdr-disease": 0.009}
INTRODUCTION = """\
Does one encoder that learns from many corpora at once tag each of them better than an encoder that learns
from that corpus alone? Stage 1 trains `recipes/multitask.toml`: one encoder, a layer for each entity type, a
head for each corpus (hierarchical sharing after Chai et al. 2022). Stage 2, `medspan finetune` with
`recipes/multitask-silver.toml`, goes on with each head by itself, other corpora of its type seen beside it at
times (for chemicals and diseases also abstracts that a program labelled), trains it alone too, and keeps what
is best on dev: the multi-task model as it was, the fine-tuned one, or the single run, where it leads by more
than the standard error of its lead. That rule was made after the first four corpora had been scored on
test, where the plain best of dev had kept single runs that were worse there; the silver labels came after ten
had been, for what they gave on dev (BC5CDR-disease 82.01, without them 81.56). What every kind would give is
below, whatever was kept. All start from the same language models (`bilm-bio`). A head learns only
from corpora that annotate its type, so that what a corpus leaves out is never taken as absence. The dev
split selects the epoch and what is kept; the test split is only scored. F1 is strict: both ends and the
label.
"""
CAUTION = """\
The gain is that over the single run, with its 95 % interval (documents, or sentences where a corpus has no
documents, resampled; both models scored on the same ones). One seed says nothing about other seeds.
"""
CRAFT = """\
On craft-chem dev and test disagree: sharing gains 3.7 points on the one and costs 2.3 on the other. *dox* and
*amyloid*, which other corpora label and CRAFT does not, stand in a few test articles 168 times, and are two
thirds of the false positives that sharing adds (`medspan evaluate fine/craft-chem ner/CRAFT-chem -o report`
shows them).
"""
CONFLICT = """\
The cosine between the gradients two corpora give the shared encoder after the best epoch of stage 1, on 64
training sentences each; below 0 a step for one undoes the other:
"""
ACROSS = """\
How well does what was learnt from one corpus find what another of the same type annotates? Test F1 on the
corpus of a column, found by the head of the corpus of a row. Corpora annotate by different rules, so these
figures lie below those on a model's own corpus. **The multi-task model has seen the training sentences
of the columns' corpora too, through other heads; the single runs have not.**
"""


OTHERS = """\
Public transformers and the small models they teach, on the same test splits; a model that lacks the head
of a corpus is tested with its only head for the same labels, which may have learnt from several corpora.

`default` is the model in the package (`recipes/default.toml`, taught); `gold-only` is the one before it,
without teachers (the same with `--from bilm-bio`; beside gold it had the silver labels of chemdisgene).
`accurate` is the model of the package `medspan-accurate` (`recipes/accurate.toml`): taught as `default`
was, with a second layer.

`mpnet-many` is `recipes/mpnet-many.toml`, `mpnet-taught` the same after a pass over what the ensemble
that taught `default` says (`recipes/mpnet-taught.toml`), and `mpnet-cdr` that once more over BC5CDR
(`recipes/mpnet-cdr.toml`). `xlnet-small` read no text but four million words of open articles and notes,
in 41 minutes of a core (`medspan pretrain mlm recipes/pretrain-xlnet-en.toml --max-words 4000000`), and
then NCBI-disease (`recipes/xlnet-small-ncbi.toml`):
"""
TAUGHT, GOLD_ONLY = "default", "gold-only"
"""The model in the package, and what it is compared with: as large, and without teachers."""
LEAST_TAUGHT = 0.015
OWN = ("ncbi-disease", "cdr-disease", "cdr-chem", "bc2gm", "linnaeus", "anatem")
"""Heads of the recipe whose corpora the model in the package learnt from."""
TRANSFORMER = {"ncbi-disease": 0.86, "cdr-chem": 0.915, "cdr-disease": 0.83, "bc2gm": 0.80}


def page(result: dict[str, Any]) -> Page:
    """The page of a result file, which may be empty or in part there."""
    runs = list(result.get("runs", {}).values())
    plots = plots_of(runs)
    lines = [
        *common.prose(INTRODUCTION),
        "## By corpus",
        "",
        *(main_lines(runs) or ["Not run yet.", ""]),
        *asked_lines(runs),
        *(line for plot in plots for line in (plot.line(), "")),
        *(common.prose(CAUTION) if runs else []),
        *(common.prose(CRAFT) if "craft-chem" in gains(runs) else []),
        *model_lines(result.get("models", {})),
        *conflict_lines(result.get("stage1", {})),
        *across_lines(result.get("across", {}), runs),
        *common.missing_lines(missing(result)),
        *common.how_lines(runs, RESULT),
    ]
    return Page(common.page_text("Many corpora, one encoder", RESULT, lines), plots, [answer(runs)])


def main_lines(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Dev and test F1 of each kind, what was kept, and its gain."""
    rows = []
    for row in runs:
        cells = []
        for kind in KINDS:
            test = row["test"].get(kind)
            cells += [percent(row["dev"].get(kind)), percent(test["f1"]) if test else common.ABSENT]
        gain = row["gain"].get("kept")
        rows.append(
            [
                row["head"],
                row["group"] or common.ABSENT,
                *cells,
                row["kept"],
                points(gain["mean"]) if gain else common.ABSENT,
                interval(gain, points) if gain else common.ABSENT,
            ]
        )
    kinds = [cell for said in KINDS.values() for cell in (f"{said}: dev", "test")]
    return common.table(("corpus", "type", *kinds, "kept", "gain", "its interval"), rows)


def gains(runs: Sequence[dict[str, Any]], kind: str = "kept") -> dict[str, float]:
    """Gains on test over the single run, by head."""
    return {row["head"]: row["gain"][kind]["mean"] for row in runs if row["gain"].get(kind)}


def asked_lines(runs: Sequence[dict[str, Any]]) -> list[str]:
    """The figures that were asked for."""
    found = gains(runs)
    if not found:
        return []
    worst = min(found, key=lambda name: found[name])
    mean, corpora = points(statistics.fmean(found.values())), len(found)
    said = [
        f"mean gain of what was kept: {mean}, {corpora} corpora (asked for: at least {points(LEAST_MEAN)})",
        f"worst: {worst}, {points(found[worst])} (asked for: none below {points(LEAST_ONE)})",
        *(
            f"{head}: {points(found[head])} (asked for: at least {points(least)})"
            for head, least in FEWEST.items()
            if head in found
        ),
    ]
    for kind in ("multi-task", "fine-tuned"):
        each = gains(runs, kind)
        if each:
            said.append(f"mean gain of {kind} everywhere: {points(statistics.fmean(each.values()))}")
    return [*(f"- {line}" for line in said), ""]


def model_lines(models: dict[str, Any]) -> list[str]:
    """Other models: test F1 by corpus, size and speed; and what was asked of transformers."""
    if not models:
        return []
    heads = [head for head in heads_of_recipe() if any(head in row["test"] for row in models.values())]
    rows = [
        [
            name,
            row["encoder"],
            f"{row['trained_parameters_m']}" if "trained_parameters_m" in row else common.ABSENT,
            f"{row['mb']}",
            f"{row['words_per_second']:,}",
            *(percent(row["test"].get(head, {}).get("f1")) for head in heads),
        ]
        for name, row in models.items()
    ]
    found = {name: row["test"] for name, row in models.items() if row["encoder"] == "transformer"}
    asked = [
        f"- {name}, {head}: {percent(test[head]['f1'])} (asked of a transformer: at least {percent(least)})"
        for name, test in found.items()
        for head, least in TRANSFORMER.items()
        if head in test
    ]
    columns = ("model", "encoder", "million parameters", "MB", "words/s of one core", *heads)
    said = [*asked, *taught_lines(models)]
    return ["## Other models", "", *common.prose(OTHERS), *common.table(columns, rows), *said, ""]


def taught_lines(models: dict[str, Any]) -> list[str]:
    """What the model that was taught gains on the corpora it learnt from."""
    taught, alone = (models.get(name, {}).get("test", {}) for name in (TAUGHT, GOLD_ONLY))
    gains = [taught[head]["f1"] - alone[head]["f1"] for head in OWN if head in taught and head in alone]
    if not gains:
        return []
    gained = f"{points(statistics.fmean(gains))} on average over {len(gains)} corpora of its own"
    asked = f"asked of the model in the package: at least {points(LEAST_TAUGHT)}"
    return [f"- {TAUGHT} against {GOLD_ONLY}: {gained} ({asked})"]


def conflict_lines(stage1: dict[str, Any]) -> list[str]:
    """The matrix of cosines."""
    cosines = {tuple(pair.split("|")): value for pair, value in stage1.get("conflict", {}).items()}
    if not cosines:
        return []
    names = list(dict.fromkeys(name for pair in cosines for name in pair))
    rows = [
        [
            one,
            *(
                "" if one == two else f"{cosines.get((one, two), cosines.get((two, one), 0)):+.2f}"
                for two in names
            ),
        ]
        for one in names
    ]
    return ["## Conflict of gradients", "", *common.prose(CONFLICT), *common.table(("", *names), rows)]


def across_lines(across: dict[str, Any], runs: Sequence[dict[str, Any]]) -> list[str]:
    """A table for each type and kind."""
    groups: dict[str, list[str]] = {}
    for row in runs:
        if row["group"]:
            groups.setdefault(row["group"], []).append(row["head"])
    lines: list[str] = []
    for group, heads in groups.items():
        rows = [
            [head, KINDS[kind], *(percent(found[head].get(other)) for other in heads)]
            for head in heads
            for kind, found in across.items()
            if head in found
        ]
        if rows:
            lines += [f"### {group}", "", *common.table(("learnt from", "kind", *heads), rows)]
    return ["## Across corpora", "", *common.prose(ACROSS), *lines] if lines else []


def missing(result: dict[str, Any]) -> list[str]:
    """Heads of the recipe that are not scored, or lack a kind of run; tests across corpora."""
    rows = {row["head"]: row for row in result.get("runs", {}).values()}
    found = []
    for head in heads_of_recipe():
        lacking = [said for kind, said in KINDS.items() if kind not in rows.get(head, {"test": {}})["test"]]
        if lacking:
            found.append(f"{head}: {common.listed(lacking)}")
    return found if result.get("across") else [*found, "tests across corpora"]


def heads_of_recipe(path: Path = common.ROOT / "recipes" / "multitask.toml") -> list[str]:
    """The heads this page is made for."""
    return list(tomllib.loads(path.read_text(encoding="utf-8"))["heads"])


def answer(runs: Sequence[dict[str, Any]]) -> str:
    """In a line."""
    found = gains(runs)
    if not found:
        return "Not run yet"
    return (
        f"{points(statistics.fmean(found.values()))} points on average over {len(found)} corpora; "
        f"from {points(min(found.values()))} to {points(max(found.values()))}"
    )


def plots_of(runs: Sequence[dict[str, Any]]) -> list[Plot]:
    """Test F1 of each kind by corpus."""
    if not runs:
        return []
    series = [
        Series(
            said,
            COLOURS[kind],
            [
                Mark(row["test"][kind]["f1"], row["test"][kind]["low"], row["test"][kind]["high"])
                if kind in row["test"]
                else None
                for row in runs
            ],
        )
        for kind, said in KINDS.items()
    ]
    alt = "Strict test F1 by corpus: single, multi-task and fine-tuned, with 95 % intervals"
    return [Plot("multitask.svg", alt, Points([row["head"] for row in runs], series, "strict test F1, %"))]

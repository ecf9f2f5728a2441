"""The page of studies 1 and 2: what a start from unannotated text gains, and how much sooner it is there."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from pages import common
from pages.common import Page, Plot, interval, listed, percent, points
from pages.content import Curves, Level, Line, Mark, Panel, Points, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RESULT = "transfer.json"
STARTS = {"random": "random start", "vectors": "vectors", "bilm": "vectors + BiLM"}
COLOURS = {"random": "black", "vectors": "blue", "bilm": "vermilion"}
WHOLE = 100


class Asked(NamedTuple):
    """What the study was asked to run and to reach on a corpus."""

    least: float
    published: float
    seeds: int
    shares: tuple[int, ...] = (WHOLE,)


SHARES = (5, 10, 25, 50, WHOLE)
ASKED = {
    "ncbi": Asked(0.845, 0.873, 3, SHARES),
    "bc5cdr": Asked(0.86, 0.893, 3, SHARES),
    "bc2gm": Asked(0.775, 0.817, 1),
    "jnlpba": Asked(0.73, 0.750, 1),
}
GAIN, LABELS, EPOCHS = 0.015, 50, 0.5
"""Asked of transfer: least gain, most percent of the labels, most share of the epochs."""
SHOWN = 0.12
"""How far below the random start's best dev F1 the plots of training reach."""
INTRODUCTION = """\
Does an encoder that has read text nobody labelled tag better (study 1), from fewer labels, and sooner
(study 2)? The recipes `recipes/transfer-*.toml` are trained from a random start, from word vectors
(`medspan pretrain vectors`), and from language models that began with those vectors (`medspan pretrain
bilm`). Everything else is the same: recipe, seed, sentences, epochs at most; but a random start drops half of
its features in training, the others a quarter, each what is better for it on dev. The dev split selects the
checkpoint; the test split is only scored. F1 is strict: a mention is right where both ends and the label
are. The text read beforehand includes the raw text of the training splits, and of no dev or test split that
is scored here; sentences equal to a registered test sentence are left out of it.
"""
ABOUT_INTERVALS = """\
With one seed the figure is of that run, and its interval (95 %, documents resampled) says how it may differ
on other documents, but nothing about other seeds. With several seeds the figure is their mean, ± the
standard deviation (n - 1) over seeds. Intervals of gains resample documents and seeds, both starts alike;
with one seed, documents only.
"""
ABOUT_SHARES = """\
Test F1 by share of the training sentences (drawn at random with the seed, the same ones for every start;
small shares get more epochs, as many for every start):
"""
ABOUT_LABELS = """\
Labels needed for the random start's F1 with all labels (asked for: at most {most} %), straight between the
shares that were run:
"""
ABOUT_EPOCHS = """\
Epochs and minutes until the random start's best dev F1 is reached (asked for: at most {most} of its
epochs). Minutes are those of this training alone, without what was learnt from text before it, and were
taken on shared cores: compare epochs first.
"""


class Study(NamedTuple):
    """The result file: runs, and the summary benchmarks/transfer.py made of them, by corpus."""

    runs: Sequence[dict[str, Any]]
    summary: dict[str, Any]
    names: dict[str, str]

    @property
    def corpora(self) -> list[str]:
        """Those with runs, in the order they were asked for."""
        order = [*ASKED, *sorted(set(self.summary) - set(ASKED))]
        return [corpus for corpus in order if corpus in self.summary]

    def name(self, corpus: str) -> str:
        """What a corpus is called."""
        return self.names.get(corpus, corpus)

    def rows(self, corpus: str, start: str, share: int) -> list[dict[str, Any]]:
        """The runs of one kind, by seed."""
        found = [r for r in self.runs if (r["corpus"], r["start"], r["share"]) == (corpus, start, share)]
        return sorted(found, key=lambda row: int(row["seed"]))

    def figure(self, corpus: str, start: str, share: int = WHOLE) -> dict[str, Any] | None:
        """The summary of one kind of run."""
        found: dict[str, Any] | None = self.summary[corpus]["f1"][start].get(str(share))
        return found

    def mark(self, corpus: str, start: str, share: int = WHOLE) -> Mark | None:
        """The same for a plot; over several seeds the ends are the means of their intervals' ends."""
        if not (rows := self.rows(corpus, start, share)):
            return None
        f1, low, high = ([row["test"][key] for row in rows] for key in ("f1", "low", "high"))
        ends = (None, None) if None in [*low, *high] else (statistics.fmean(low), statistics.fmean(high))
        return Mark(statistics.fmean(f1), *ends, f1)


def page(result: dict[str, Any]) -> Page:
    """The page of a result file, which may be empty or in part there."""
    study = Study(list(result.get("runs", {}).values()), result.get("summary", {}), common.corpus_names())
    plots = plots_of(study)
    pictures = {plot.file: [plot.line(), ""] for plot in plots}
    lines = [
        *common.prose(INTRODUCTION),
        "## All the labels",
        "",
        *(full_lines(study) or ["Not run yet.", ""]),
        *pictures.get("transfer-f1.svg", []),
        *pictures.get("transfer-gain.svg", []),
        *common.prose(ABOUT_INTERVALS),
        "## Fewer labels",
        "",
        *(share_lines(study) or ["Not run yet.", ""]),
        *pictures.get("transfer-labels.svg", []),
        "## Sooner",
        "",
        *(epoch_lines(study) or ["Not run yet.", ""]),
        *pictures.get("transfer-epochs.svg", []),
        *pictures.get("transfer-minutes.svg", []),
        *common.missing_lines(missing(study)),
        *run_lines(study),
        *common.how_lines(study.runs, RESULT),
    ]
    text = common.page_text("Transfer from unannotated text", RESULT, lines)
    return Page(text, plots, [gain_answer(study), sooner_answer(study)])


def full_lines(study: Study) -> list[str]:
    """The table of study 1."""
    rows = []
    for corpus in study.corpora:
        asked = ASKED.get(corpus)
        for start, said in STARTS.items():
            if (figure := study.figure(corpus, start)) is None:
                continue
            gain = study.summary[corpus]["gain"].get(start) if start != "random" else None
            goal = f"{percent(asked.least)} / {percent(asked.published)}" if asked else common.ABSENT
            rows.append(
                [
                    study.name(corpus),
                    said,
                    listed(figure["seeds"]),
                    percent(figure["dev"]),
                    percent(figure["mean"]),
                    _spread(figure),
                    points(gain["mean"]) if gain else "",
                    interval(gain, points) if gain else "",
                    goal if start == "bilm" else "",
                ]
            )
    head = ("corpus", "start", "seeds", "dev F1", "test F1", "± or 95 % interval", "gain", "its interval")
    return common.table((*head, "asked for: at least / published"), rows)


def _spread(figure: dict[str, Any]) -> str:
    """The deviation over seeds, or the interval of the only run."""
    return interval(figure) if figure["std"] is None else f"± {percent(figure['std'])}"


def share_lines(study: Study) -> list[str]:
    """The table of the learning curves, and how many labels are enough."""
    curves = [corpus for corpus in study.corpora if len(_shares(study, corpus)) > 1]
    if not curves:
        return []
    shares = sorted({share for corpus in curves for share in _shares(study, corpus)})
    rows, needed = [], []
    for corpus in curves:
        for start, said in STARTS.items():
            cells = [study.figure(corpus, start, share) for share in shares]
            if any(cells):
                shown = [percent(cell["mean"]) if cell else common.ABSENT for cell in cells]
                rows.append([study.name(corpus), said, *shown])
        needed.extend(_needed(study, corpus))
    return [
        *common.prose(ABOUT_SHARES),
        *common.table(("corpus", "start", *(f"{share} %" for share in shares)), rows),
        *common.prose(ABOUT_LABELS.format(most=LABELS)),
        *needed,
        "",
    ]


def _shares(study: Study, corpus: str) -> list[int]:
    return sorted({int(share) for shares in study.summary[corpus]["f1"].values() for share in shares})


def _needed(study: Study, corpus: str) -> list[str]:
    found = []
    for start in ("vectors", "bilm"):
        if len(study.summary[corpus]["f1"][start]) > 1:
            share = study.summary[corpus]["labels"][start]
            found.append(f"- {study.name(corpus)}, {STARTS[start]}: {_enough(study, corpus, start, share)}")
    return found


def _enough(study: Study, corpus: str, start: str, share: float | None) -> str:
    """A share of the labels in words: the least share that was run is only an upper bound."""
    if share is None:
        return "not reached, or no full run to compare with"
    is_least = share <= min(int(key) for key in study.summary[corpus]["f1"][start])
    return f"{'at most ' if is_least and share < WHOLE else ''}{share:.0f} %"


def epoch_lines(study: Study) -> list[str]:
    """The table of epochs and minutes to the random start's best dev F1."""
    rows = []
    for corpus in study.corpora:
        for start in ("vectors", "bilm"):
            for row in study.summary[corpus]["epochs"][start]:
                epochs, minutes = row["random"]
                there = row[start]
                rows.append(
                    [
                        study.name(corpus),
                        STARTS[start],
                        str(row["seed"]),
                        percent(row["dev_f1"]),
                        f"{epochs} ({minutes:.1f})",
                        f"{there[0]} ({there[1]:.1f})" if there else "never",
                        f"{there[0] / epochs:.2f} ({there[1] / minutes:.2f})" if there else common.ABSENT,
                    ]
                )
    head = (
        "corpus",
        "start",
        "seed",
        "goal: dev F1",
        "random start: epochs (minutes)",
        "this start",
        "share",
    )
    if not rows:
        return []
    return [
        *common.prose(ABOUT_EPOCHS.format(most=EPOCHS)),
        *common.table(head, rows),
    ]


def run_lines(study: Study) -> list[str]:
    """Every run, folded."""
    rows = [
        [
            study.name(row["corpus"]),
            STARTS[row["start"]],
            f"{row['share']} %",
            str(row["seed"]),
            percent(row["dev"]),
            percent(row["test"]["f1"]),
            interval(row["test"]),
            percent(row["test"]["precision"]),
            percent(row["test"]["recall"]),
            str(len(row["curve"])),
            f"{row['minutes']:.1f}",
        ]
        for corpus in study.corpora
        for share in reversed(_shares(study, corpus))
        for start in STARTS
        for row in study.rows(corpus, start, share)
    ]
    head = ("corpus", "start", "labels", "seed", "dev F1", "test F1", "95 % interval", "precision", "recall")
    body = common.table((*head, "epochs run", "minutes"), rows)
    return ["## Every run", "", *body] if rows else []


def missing(study: Study) -> list[str]:
    """Runs that were asked for and are not there."""
    found = []
    for corpus, asked in ASKED.items():
        for share in reversed(asked.shares):
            least = asked.seeds if share == WHOLE else 1
            there = {said: len(study.rows(corpus, start, share)) for start, said in STARTS.items()}
            few = [f"{said} ({count} of {least} runs)" for said, count in there.items() if count < least]
            if few:
                found.append(f"{study.name(corpus)}, {share} % of the labels: {listed(few)}")
    return found


def gain_answer(study: Study) -> str:
    """Study 1 in a line."""
    said = []
    for corpus in study.corpora:
        for start in ("bilm", "vectors"):
            if (figure := study.figure(corpus, start)) and (gain := study.summary[corpus]["gain"].get(start)):
                mark = f"{points(gain['mean'])} ({interval(gain, points)}; {common.agreed(gain['seeds'])})"
                said.append(f"{study.name(corpus)} {percent(figure['mean'])} from {STARTS[start]}, {mark}")
                break
    return f"Test F1 and points over the random start: {'; '.join(said)}" if said else "Not run yet"


def sooner_answer(study: Study) -> str:
    """Study 2 in a line."""
    said = []
    for corpus in study.corpora:
        for start in ("bilm", "vectors"):
            parts = []
            if (share := study.summary[corpus]["labels"][start]) is not None:
                parts.append(f"{_enough(study, corpus, start, share)} of the labels")
            rows = study.summary[corpus]["epochs"][start]
            if rows and all(row[start] for row in rows):
                part = statistics.fmean(row[start][0] / row["random"][0] for row in rows)
                parts.append(f"{part:.2f} of the epochs")
            if parts:
                said.append(f"{study.name(corpus)} {' and '.join(parts)} ({STARTS[start]})")
                break
    return f"What the random start reaches needs: {'; '.join(said)}" if said else "Not run yet"


def plots_of(study: Study) -> list[Plot]:
    """The plots there are figures for."""
    return [
        plot
        for plot in (_f1_plot(study), _gain_plot(study), _label_plot(study), *_curve_plots(study))
        if plot
    ]


def _named(study: Study, corpora: Iterable[str]) -> list[str]:
    return [study.name(corpus) for corpus in corpora]


def _f1_plot(study: Study) -> Plot | None:
    if not study.corpora:
        return None
    series = [
        Series(said, COLOURS[start], [study.mark(corpus, start) for corpus in study.corpora])
        for start, said in STARTS.items()
    ]
    content = Points(_named(study, study.corpora), series, "strict test F1, %")
    alt = (
        "Strict test F1 by corpus and start; bars are 95 % intervals over documents, small dots single seeds"
    )
    return Plot("transfer-f1.svg", alt, content)


def _gain_plot(study: Study) -> Plot | None:
    gains = {corpus: study.summary[corpus]["gain"] for corpus in study.corpora}
    series = []
    for start in ("vectors", "bilm"):
        found = [gains[corpus].get(start) for corpus in study.corpora]
        marks = [Mark(gain["mean"], gain["low"], gain["high"]) if gain else None for gain in found]
        if any(marks):
            series.append(Series(STARTS[start], COLOURS[start], marks))
    if not series:
        return None
    levels = [Level("random start", 0.0), Level("asked for", GAIN)]
    content = Points(_named(study, study.corpora), series, "gain in test F1, points", levels)
    return Plot("transfer-gain.svg", "Gain over the random start with 95 % intervals, by corpus", content)


def _label_plot(study: Study) -> Plot | None:
    panels, shares = [], set()
    for corpus in study.corpora:
        if len(_shares(study, corpus)) < 2:  # noqa: PLR2004 - no curve
            continue
        lines = []
        for start, said in STARTS.items():
            marks = {share: study.mark(corpus, start, share) for share in _shares(study, corpus)}
            known = {share: mark for share, mark in marks.items() if mark}
            if known:
                lines.append(_band(said, COLOURS[start], known))
        full = study.figure(corpus, "random")
        levels = [Level("random start, all labels", full["mean"])] if full else []
        panels.append(Panel(study.name(corpus), lines, levels))
        shares |= set(_shares(study, corpus))
    if not panels:
        return None
    content = Curves(panels, "training sentences, % (log scale)", "strict test F1, %", sorted(shares))
    alt = "Strict test F1 by share of the labels; bands are 95 % intervals over documents"
    return Plot("transfer-labels.svg", alt, content)


def _band(name: str, colour: str, marks: dict[int, Mark]) -> Line:
    shares, means = list(marks), [mark.mean for mark in marks.values()]
    low = [mark.low for mark in marks.values() if mark.low is not None]
    high = [mark.high for mark in marks.values() if mark.high is not None]
    if len(low) < len(shares):
        return Line(name, colour, shares, means)
    return Line(name, colour, shares, means, low, high)


def _curve_plots(study: Study) -> list[Plot]:
    found = []
    for file, x, column in (("transfer-epochs.svg", "epochs", 0), ("transfer-minutes.svg", "minutes", 1)):
        panels = []
        for corpus in study.corpora:
            lines = [
                _curve(said, COLOURS[start], row["curve"], by_minute=bool(column))
                for start, said in STARTS.items()
                for row in study.rows(corpus, start, WHOLE)
            ]
            if lines:
                goals = [max(f1 for _, f1 in r["curve"]) for r in study.rows(corpus, "random", WHOLE)]
                levels = [Level("random start's best (mean)", statistics.fmean(goals))] if goals else []
                floor = statistics.fmean(goals) - SHOWN if goals else None
                panels.append(Panel(study.name(corpus), lines, levels, floor))
        if panels:
            alt = f"Dev F1 by {x} of training with all labels, a line a seed; first epochs lie below"
            found.append(Plot(file, alt, Curves(panels, f"{x} of training", "dev F1, %")))
    return found


def _curve(name: str, colour: str, curve: Sequence[Sequence[float]], *, by_minute: bool) -> Line:
    x = [minutes if by_minute else epoch for epoch, (minutes, _) in enumerate(curve, start=1)]
    return Line(name, colour, x, [f1 for _, f1 in curve], is_marked=False)

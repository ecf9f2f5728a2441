"""The page of study 4: a character network learnt from dictionary labels against the dictionary itself."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from pages import common
from pages.common import Page, Plot, interval, listed, percent, points
from pages.content import Mark, Points, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RESULT = "dictionary_swedish.json"
SYSTEMS = {
    "dictionary": "dictionary",
    "dictionary-inflected": "dictionary, inflected",
    "dictionary-inside": "dictionary without edges",
    "dictionary-inside-inflected": "dictionary without edges, inflected",
    "char-blstm": "`char_blstm`, random start",
    "char-blstm-charlm": "`char_blstm`, from the character LM",
}
COLOURS = dict(zip(SYSTEMS, ("sky", "blue", "orange", "green", "black", "vermilion"), strict=True))
DICTIONARIES = tuple(name for name in SYSTEMS if name.startswith("dictionary"))
NETWORKS = tuple(name for name in SYSTEMS if name not in DICTIONARIES)
TYPES = {
    "Disorder_Finding": "disorder or finding",
    "Pharmaceutical_Drug": "drug",
    "Body_Structure": "body structure",
}
PARTS = {"all": "all of 1177", "test": "its test split"}
RELATIVE = 0.6
INTRODUCTION = """\
Can a network that has seen only what a dictionary labelled find more than the dictionary?
`recipes/char-blstm.toml` is trained on 60-character windows of Swedish Wikipedia that Almgren, Pavlov and
Mogren (2016) labelled by dictionary look-up (`swedish/wiki`), once from a random start and once from a
character language model (`medspan pretrain charlm`). The baseline is the dictionary of the same windows:
every surface annotated in their train split, longest match on word borders, any case, without and with
inflection rules (`medspan weak label --inflect sv`). Both are tested on the hand-annotated sentences of
1177, on all of them and on their test split. The dev split of the windows selects the checkpoint; nothing
of 1177 is learnt from.

The windows cut words at both ends, and a cut word is annotated too, so that many of the surfaces are pieces
of words, which the plain dictionaries then find everywhere. *Without edges* leaves out surfaces that stand
only at the edge of a window. **The dictionaries' errors on 1177 have been looked at**, so 1177 is no unseen
test set for them; the two without edges are generous to the baseline. The network takes nothing from 1177,
neither for training nor for its checkpoint. The gain asked for is over the better of the two plain
dictionaries; the gain over the best of all four stands beside it.
"""
CAUTION = """\
Strict F1: both ends and the type. By character: every character has the type of the mention it is in, and
counts by itself. Intervals are 95 %, sentences resampled. Networks of one seed say nothing about other
seeds; of several, figures are means, and the ends of intervals are means too. Dictionaries have no seed.
"""


def page(result: dict[str, Any]) -> Page:
    """The page of a result file, which may be empty or in part there."""
    runs = grouped(result.get("runs", {}))
    plots = plots_of(runs)
    flat = [row for rows in runs.values() for row in rows]
    lines = [
        *common.prose(INTRODUCTION),
        *(line for part in PARTS for line in part_lines(runs, part)),
        *(line for plot in plots for line in (plot.line(), "")),
        *common.prose(CAUTION),
        *gain_lines(result.get("gains", {})),
        *common.missing_lines(missing(runs)),
        *common.how_lines(flat, RESULT),
    ]
    text = common.page_text("Swedish: a network against its dictionary", RESULT, lines)
    return Page(text, plots, [answer(result.get("gains", {}), runs)])


def grouped(runs: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Runs by system: a dictionary has one, a network one a seed."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in SYSTEMS:
        wanted = {name} if name in DICTIONARIES else {key for key in runs if key.rpartition("-")[0] == name}
        if rows := [row for key, row in runs.items() if key in wanted]:
            found[name] = sorted(rows, key=lambda row: int(row["seed"] or 0))
    return found


def mean(rows: Iterable[dict[str, Any]], *keys: str) -> dict[str, float | None]:
    """Mean F1 and mean ends of intervals of what stands under some keys."""
    found = []
    for row in rows:
        for key in keys:
            row = row[key]  # noqa: PLW2901 - one level deeper
        found.append(row)
    return {
        end: _mean([row.get(end) for row in found]) for end in ("f1", "low", "high", "precision", "recall")
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def part_lines(runs: dict[str, list[dict[str, Any]]], part: str) -> list[str]:
    """The table of one test set."""
    rows = []
    for name, group in runs.items():
        total, characters = mean(group, part), mean(group, part, "characters")
        by_type = [mean(group, part, "by_type", label) for label in TYPES]
        rows.append(
            [
                SYSTEMS[name],
                listed(row["seed"] for row in group if row["seed"] is not None),
                *(percent(total[key]) for key in ("precision", "recall", "f1")),
                interval(total),
                *(f"{percent(row['f1'])} ({interval(row)})" for row in by_type),
                f"{percent(characters['f1'])} ({interval(characters)})",
            ]
        )
    if not rows:
        return []
    size = next(iter(runs.values()))[0][part]
    head = ("system", "seeds", "precision", "recall", "F1", "95 % interval", *TYPES.values(), "by character")
    title = f"## On {PARTS[part]}: {size['documents']:,} sentences, {size['gold']:,} mentions"
    return [title, "", *common.table(head, rows)]


def gain_lines(gains: dict[str, Any]) -> list[str]:
    """What networks gain over dictionaries."""
    rows = [
        [
            SYSTEMS[name],
            PARTS[part],
            f"{SYSTEMS[gain['baseline']]} ({percent(gain['baseline_f1'])})",
            f"the better of {'the two plain ones' if measure == 'of two' else 'all four'}",
            percent(gain["f1"]),
            points(gain["absolute"]),
            _relative(gain),
        ]
        for name in NETWORKS
        for part in PARTS
        for measure in ("of two", "of four")
        if (gain := gains.get(name, {}).get(f"{part}, the better {measure}"))
    ]
    head = ("network", "test set", "baseline (F1)", "which is", "F1", "gain, points", "relative")
    asked = (
        f"Asked for: at least {100 * RELATIVE:.0f} % relative over the better of the two plain dictionaries."
    )
    return [
        "## The gain over the dictionary",
        "",
        asked,
        "",
        *(common.table(head, rows) or ["Not run yet.", ""]),
    ]


def missing(runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """What was asked for and is not there."""
    return [said for name, said in SYSTEMS.items() if name not in runs]


def answer(gains: dict[str, Any], runs: dict[str, list[dict[str, Any]]]) -> str:
    """Study 4 in a line."""
    said = []
    for name in NETWORKS:
        if gain := gains.get(name, {}).get("all, the better of two"):
            four = gains[name]["all, the better of four"]
            said.append(
                f"{SYSTEMS[name]}: F1 {percent(gain['f1'])} on all of 1177, {_over(gain)}, {_over(four)}"
            )
    if said:
        return "; ".join(said)
    there = [name for name in DICTIONARIES if name in runs]
    if not there:
        return "Not run yet"
    each = "; ".join(f"{SYSTEMS[name]} {percent(mean(runs[name], 'all')['f1'])}" for name in there)
    return f"The networks were not run yet; F1 of the dictionaries on all of 1177: {each}"


def _over(gain: dict[str, Any]) -> str:
    return f"{_relative(gain)} over {SYSTEMS[gain['baseline']]} ({percent(gain['baseline_f1'])})"


def _relative(gain: dict[str, Any]) -> str:
    return common.ABSENT if gain["relative"] is None else f"{100 * gain['relative']:+.0f} %"


def plots_of(runs: dict[str, list[dict[str, Any]]]) -> list[Plot]:
    """F1 by type, one plot for all of 1177."""
    if not runs:
        return []
    places: dict[str, tuple[str, ...]] = {"all types": ()}
    places |= {said: ("by_type", label) for label, said in TYPES.items()}
    places["by character"] = ("characters",)
    series = [
        Series(
            SYSTEMS[name].replace("`", ""), COLOURS[name], [_mark(rows, *keys) for keys in places.values()]
        )
        for name, rows in runs.items()
    ]
    alt = "F1 on all of 1177 by type and by character, dictionaries and networks, with 95 % intervals"
    return [Plot("swedish.svg", alt, Points(list(places), series, "F1 on all of 1177, %"))]


def _mark(rows: Sequence[dict[str, Any]], *keys: str) -> Mark | None:
    found = mean(rows, "all", *keys)
    seeds = [value for row in rows if (value := mean([row], "all", *keys)["f1"]) is not None]
    return None if found["f1"] is None else Mark(found["f1"], found["low"], found["high"], seeds)

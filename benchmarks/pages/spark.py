"""The page of Spark: throughput, sameness, memory, what a job costs, training together, other languages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pages import common
from pages.common import Page, interval, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

RESULT = "spark.json"
PARTS = {
    "throughput": "throughput beside the bulk job",
    "executors": "two executors beside one",
    "same": "the same entities",
    "memory": "memory of the driver while annotating",
    "training_memory": "memory of the driver while training",
    "plan": "what a job costs",
    "replicas": "two processes that train one model",
    "languages": "other languages",
}
INTRODUCTION = """\
`medspan.spark` on one machine of two shared cores. How to use it: [on Apache Spark](../spark.md); how to plan
a job of many machines: [a thousand cores](../scale.md).
"""
PLAN = """\
Hours are of the clinical notes' mean length, 5,000 notes a task: with a processor to spare for each slot's
Java, and with as many slots as processors. Reading from and writing to storage that is slower than this
machine's disk comes on top.
"""
LIMIT = """\
Two processes learn from as many words a step as one, so each computes half a batch, and small batches take
longer a word; at every step both wait for the slower one and for gradients to travel; and dev is scored by
the first process alone. Rates were measured beside other work on the machine.
"""
LANGUAGES = """\
Two processes on two executors, the recipe's labels, a random start. The French training documents were
annotated by a dictionary and partly corrected, its test documents by hand: what the dictionary lacks is
missed.
"""


def page(result: dict[str, Any]) -> Page:
    """The page of a result file, which may be empty or in part there."""
    runs = result.get("runs", {})
    lines = [
        *common.prose(INTRODUCTION),
        *section("Annotation", common.table(("check", "figure", "asked"), checks(runs))),
        *section("What a job costs", cost_lines(runs.get("plan", {}))),
        *section("Training together", replica_lines(runs.get("replicas", {}))),
        *section("Other languages", language_lines(runs.get("languages", {}))),
        *common.missing_lines([text for part, text in PARTS.items() if part not in runs]),
        *common.how_lines([runs[part] for part in PARTS if part in runs], RESULT),
    ]
    answers = [throughput_answer(runs), language_answer(runs.get("languages", {}))]
    return Page(common.page_text("On Spark", RESULT, lines), [], answers)


def section(title: str, lines: list[str]) -> list[str]:
    """A section, or that it was not run."""
    return [f"## {title}", "", *(lines or ["Not run yet.", ""])]


def checks(runs: Mapping[str, Any]) -> list[list[str]]:
    """A row for each check that was run."""
    rows = []
    if row := runs.get("throughput"):
        shares = f"{row['share_of_job']:.2f} ({row['shares'][0]:.2f} to {row['shares'][-1]:.2f})"
        rate = f"{row['spark_words_per_second']:,} words/s"
        rows.append([f"`local[2]`, speed as a share of the bulk job's; {rate}", shares, f"≥ {row['asked']}"])
    if row := runs.get("executors"):
        ratios = f"{row['speedup']:.2f} ({row['speedups'][0]:.2f} to {row['speedups'][-1]:.2f})"
        rows.append(["two executors of a thread, speed as a multiple of one's", ratios, f"≥ {row['asked']}"])
    if row := runs.get("same"):
        what = f"documents whose entities differ from those of `medspan.load`, {row['entities']:,} entities"
        rows.append([what, f"{row['differing_documents']} of {row['documents']:,}", "0"])
        rows.append(["largest difference of a score", f"{row['largest_score_difference']:.1e}", "≤ 1e-4"])
    for part, work in (("memory", "annotating {documents:,} documents"),
                       ("training_memory", "training on {sentences:,} sentences")):  # fmt: skip
        if row := runs.get(part):
            most = f"{row['most_megabytes']:,} MB, growth {row['growth']:+.3f}"
            what = f"driver's memory, Python and Java, while {work.format(**row)}"
            rows.append([what, most, f"< {row['asked']:,} MB, flat"])
    return rows


def cost_lines(plan: Mapping[str, Any]) -> list[str]:
    """The costs, the forecast and the plan."""
    if not plan:
        return []
    costs = plan["costs"]
    rows = [
        ["a query, whatever its size", f"{costs['fixed']:.2f} s"],
        ["a Python worker's start and load of the model", f"{costs['worker']:.1f} s"],
        ["a task", f"{1e3 * costs['task']:.0f} ms"],
        ["a document", f"{1e6 * costs['document']:.0f} µs"],
        ["a word", f"{1e6 * costs['word']:.1f} µs"],
        ["of it: a megabyte from Parquet through Arrow and back", f"{1e3 * costs['copy_megabyte']:.0f} ms"],
        ["processors a slot keeps busy, Java and Python together", f"{costs['busy']:.2f}"],
        ["speed of a process of the bulk job beside another", f"{plan['second_slot']:.2f}"],
        ["share: speed of a slot where there are as many slots as processors", f"{plan['share']:.2f}"],
    ]
    forecast = [
        [slots, f"{row['foretold']:.1f}", f"{row['took']:.1f}", f"{100 * row['error']:+.0f} %"]
        for slots, row in plan["forecast"].items()
    ]
    hours = [
        [f"{row['slots']:,}", f"{row['notes']:,}", duration(row["hours"]), duration(row["hours_full"])]
        for row in plan["plan"]
    ]
    return [
        *common.table(("one slot", "costs"), rows),
        "Foretold for the clinical notes, which measured none of these, in tasks of uneven size:",
        "",
        *common.table(("slots", "foretold, s", "took, s", "error"), forecast),
        *common.prose(PLAN),
        *common.table(("slots", "notes", "processors to spare", "as many slots as processors"), hours),
    ]


def duration(hours: float) -> str:
    """Hours, or minutes where they are few."""
    return f"{hours:,.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"


def replica_lines(result: Mapping[str, Any]) -> list[str]:
    """One process beside two."""
    if not result:
        return []
    rows = [
        [
            processes,
            *(spread(result[processes][part]) for part in ("dev_f1", "test_f1")),
            f"{result[processes]['words_per_second']:,}",
        ]
        for processes in ("1", "2")
    ]
    head = ("processes", "dev F1", "test F1", "words/s")
    seeds = common.listed(run["seed"] for run in result["1"]["runs"])
    return [
        f"`{result['recipe']}`, seeds {seeds}, mean ± standard deviation:",
        "",
        *common.table(head, rows),
        *common.prose(LIMIT),
    ]


def spread(row: Mapping[str, Any]) -> str:
    """Mean and deviation in percent."""
    deviation = "" if row["std"] is None else f" ± {100 * row['std']:.2f}"
    return percent(row["mean"]) + deviation


def language_lines(result: Mapping[str, Any]) -> list[str]:
    """A row a language."""
    rows = [
        [
            language,
            f"`{row['recipe']}`",
            row["test_split"],
            percent(row["test"]["f1"]),
            interval(row["test"]),
            f"{row['minutes']:.0f}",
        ]
        for language, row in result.get("by_language", {}).items()
    ]
    head = ("language", "recipe", "test split", "strict F1", "95 % interval", "minutes")
    return [*common.prose(LANGUAGES), *common.table(head, rows)] if rows else []


def throughput_answer(runs: Mapping[str, Any]) -> str:
    """In a line: how quick, and how alike."""
    if "throughput" not in runs or "executors" not in runs:
        return "Not run yet"
    share, speedup = runs["throughput"]["share_of_job"], runs["executors"]["speedup"]
    return f"{share:.2f} of the bulk job's speed on the same two cores; two executors {speedup:.2f} times one"


def language_answer(result: Mapping[str, Any]) -> str:
    """In a line: F1 by language."""
    rows = result.get("by_language", {}).items()
    found = ", ".join(f"{name} {percent(row['test']['f1'])}" for name, row in rows)
    return f"By recipe alone: {found}" if found else "Not run yet"

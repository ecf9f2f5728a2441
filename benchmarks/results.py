"""Writes the pages and plots of docs/results/ from the result files of the studies.

    python benchmarks/results.py            # all pages and plots
    python benchmarks/results.py --check    # change nothing; 1 if a page is not what the result files give

A study whose result file is absent or not complete is rendered as far as it goes, and says what is missing.
Plots need matplotlib (`medspan[dev]`); without it only the pages are written, and a line says so.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from facts import read_json
from pages import active, architectures, common, multitask, spark, swedish, system2, transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pages.common import Page, Plot

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "docs" / "results"


class Study(NamedTuple):
    """A page: its file, its result file, what makes it, and the questions it answers."""

    file: str
    result: str
    page: Callable[[dict[str, Any]], Page]
    questions: tuple[str, ...]


STUDIES = (
    Study(
        "transfer.md",
        transfer.RESULT,
        transfer.page,
        (
            "What does a start from unannotated text gain over a random one?",
            "How many labels, and how many epochs, does it save?",
        ),
    ),
    Study(
        "architectures.md",
        architectures.RESULT,
        architectures.page,
        ("Which architecture finds medication fields best, and does each gain from vectors?",),
    ),
    Study(
        "swedish.md",
        swedish.RESULT,
        swedish.page,
        ("Does a character network learnt from dictionary labels find more than the dictionary?",),
    ),
    Study(
        "active-learning.md",
        active.RESULT,
        active.page,
        ("With how many annotated sentences is a model as good if `suggest` chooses them?",),
    ),
    Study(
        "multitask.md",
        multitask.RESULT,
        multitask.page,
        ("Does one encoder that learns from many corpora tag each of them better?",),
    ),
    Study(
        "system2.md",
        system2.RESULT,
        system2.page,
        ("How do our models compare with the published figures of system 2?",),
    ),
    Study(
        "spark.md",
        spark.RESULT,
        spark.page,
        (
            "How quick is Spark on two cores, beside the bulk job?",
            "Does the same code learn other languages, on Spark?",
        ),
    ),
)
INTRODUCTION = """\
What was measured about learning from text nobody labelled, and from many corpora at once. Each page is
written from one result file in `benchmarks/` by `python benchmarks/results.py`; no figure on it was typed,
and a test compares them. Scores are strict F1 in percent, on test splits; the dev split alone selects a
model. How to do it with data of your own: [pretraining](../pretraining.md), [labels without
annotators](../weak-labels.md), [which sentence to annotate next](../active-learning.md), [many
corpora](../multitask.md).
"""


def render(results: Path) -> tuple[dict[str, str], list[Plot]]:
    """All pages by file name, and their plots.

    Args:
        results: folder of the result files.
    """
    texts: dict[str, str] = {}
    plots: list[Plot] = []
    rows = []
    for study in STUDIES:
        page = study.page(read_json(results / study.result))
        texts[study.file] = page.text
        plots.extend(page.plots)
        for question, answer in zip(study.questions, page.answers, strict=True):
            rows.append([str(len(rows) + 1), question, f"{answer}.", f"[{study.file}]({study.file})"])
    lines = [*common.prose(INTRODUCTION), *common.table(("study", "question", "answer", "page"), rows)]
    names = ", ".join(study.result for study in STUDIES)
    texts["README.md"] = common.page_text("Results of the studies", f"{{{names}}}", lines)
    return texts, plots


def write(texts: dict[str, str], plots: list[Plot], folder: Path) -> bool:
    """Write pages and plots; whether matplotlib was there to draw."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    try:
        from pages import plots as drawing  # noqa: PLC0415 - pages are written without matplotlib, too
    except ImportError:
        return False
    for plot in plots:
        drawing.write(plot.content, folder / plot.file)
    return True


def stale(texts: dict[str, str], plots: list[Plot], folder: Path) -> list[str]:
    """Pages that are not what they should be, plots that are absent, and files nothing writes."""
    found = []
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            found.append(name)
    wanted = {plot.file for plot in plots}
    found.extend(sorted(name for name in wanted if not (folder / name).exists()))
    there = {path.name for path in folder.glob("*")} if folder.exists() else set()
    return found + sorted(there - wanted - set(texts))


def main() -> int:
    """Write, or with --check compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=HERE, help="folder of the result files")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, help="folder to write")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something is stale")
    options = parser.parse_args()
    texts, plots = render(options.results)
    if options.check:
        if found := stale(texts, plots, options.output):
            print(f"stale: {', '.join(found)}; run python benchmarks/results.py", file=sys.stderr)
        return int(bool(found))
    if not write(texts, plots, options.output):
        print("no plots: matplotlib is not installed here; pip install 'medspan[dev]'", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

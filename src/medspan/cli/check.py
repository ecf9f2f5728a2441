"""The verb ``check``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from medspan.corpora.check import Limits, check_corpus
from medspan.packaged import named_model

if TYPE_CHECKING:
    from medspan.corpora.check import CorpusFindings, SplitFindings


def check(  # noqa: PLR0917 - typer declares options as defaults
    target: Annotated[
        str,
        typer.Argument(metavar="MODEL|CORPUS", help="A model or a corpus: a folder or file, or its name."),
    ],
    format: Annotated[  # noqa: A002 - the word every verb uses
        str | None, typer.Option(metavar="FORMAT", help="Format of the corpus, where its name does not tell.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the findings as JSON.")] = False,
    max_misaligned: Annotated[
        float, typer.Option(min=0, max=1, help="Share of entities that may cut through a word.")
    ] = Limits().misaligned,
    max_duplicates: Annotated[
        float, typer.Option(min=0, max=1, help="Share of a split's sentences that may be in another.")
    ] = Limits().duplicates,
    max_leaks: Annotated[
        float, typer.Option(min=0, max=1, help="Share of sentences that may be of a registered test split.")
    ] = Limits().leaks,
) -> None:
    """Check a corpus, or a model folder.

    Of a corpus: entities that cut through words, sentences in two splits, leaks into registered test splits,
    tags that cannot stand where they are, counts of labels. Of a model folder: its golden texts are replayed.
    Exit code 1 if something is wrong.
    """
    folder = named_model(target) or Path(target)
    if (folder / "config.json").is_file():
        _check_model(folder, as_json=as_json)
        return
    limits = Limits(misaligned=max_misaligned, duplicates=max_duplicates, leaks=max_leaks)
    findings = check_corpus(target, format=format, limits=limits)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(findings), indent=2).decode())
    else:
        _show(findings)
    if findings.problems:
        raise typer.Exit(1)


def _check_model(folder: Path, *, as_json: bool) -> None:
    from medspan.model.store import kind_of  # noqa: PLC0415 - numpy only where it is asked for

    problems: list[str] = list(import_module("medspan.model.golden").replay(folder))
    what = "relations" if kind_of(folder) == "relations" else "entities"
    if as_json:
        found = {"model": str(folder), "problems": problems}
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        typer.echo("\n".join(problems) or f"{folder}: every golden text gives its {what}")
    if problems:
        raise typer.Exit(1)


def _show(findings: CorpusFindings) -> None:
    console = Console(highlight=False)
    table = Table(title=findings.corpus, title_justify="left")
    table.add_column("")
    for split in findings.splits:
        table.add_column(split, justify="right")
    rows = [_rows(found) for found in findings.splits.values()]
    for name in dict.fromkeys(name for column in rows for name in column):
        table.add_row(name, *(column.get(name, "") for column in rows))
    console.print(table)
    for pair in findings.shared:
        shared = f"{pair.sentences:,} sentences ({pair.share:.1%} of {pair.second})"
        console.print(f"in both {pair.first} and {pair.second}: {shared}", markup=False)
    for problem in findings.problems:
        console.print(f"PROBLEM {problem}", markup=False, soft_wrap=True)
    if not findings.problems:
        console.print("no problem found")


def _rows(found: SplitFindings) -> dict[str, str]:
    rows = {
        "documents": found.documents,
        "documents without a word": found.empty_documents,
        "sentences": found.sentences,
        "words": found.words,
        "entities": found.entities,
        "entities that cut through a word": found.misaligned,
        "entities that overlap": found.overlapping,
        "discontinuous entities": found.discontinuous,
        "sentences of registered test splits": found.leaks,
        "invalid tags": found.tags.invalid if found.tags else None,
        **{f"label {label}": count for label, count in sorted(found.labels.items())},
    }
    return {name: f"{count:,}" for name, count in rows.items() if count is not None}

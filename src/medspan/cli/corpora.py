"""The verbs ``corpora list``, ``corpora get`` and ``corpora invent``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from medspan import formats
from medspan.corpora import Corpus, list_corpora, places_of
from medspan.corpora import get as getting
from medspan.corpora.discharge import SPLITS, discharge_notes


def list_(
    task: Annotated[str | None, typer.Option(help="Only corpora whose task holds this word.")] = None,
    language: Annotated[str | None, typer.Option(help="Only corpora of this language, e.g. en.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the whole catalogue as JSON lines.")] = False,
) -> None:
    """List the public corpora medspan knows.

    Columns: the name; what it is for; its language; entities in all splits; where it stands (here, or
    whether ``corpora get`` fetches it); whether a shipped model may learn from it; the licence.
    """
    chosen = [
        corpus
        for corpus in list_corpora()
        if (task or "") in corpus.task and (not language or language in corpus.language.split())
    ]
    present = places_of(chosen)
    if as_json:
        for corpus in chosen:
            folder = present.get(corpus.name)
            entry = {**msgspec.to_builtins(corpus), "folder": str(folder) if folder else None}
            typer.echo(msgspec.json.encode(entry).decode())
        return
    table = Table("corpus", "task", "language", "entities", "where", "may ship", "licence")
    for corpus in chosen:
        where = "here" if corpus.name in present else "get" if corpus.can_get else "by hand"
        may_ship = ("share-alike" if corpus.share_alike else "yes") if corpus.may_ship else "no"
        count = _count_entities(corpus)
        row = (corpus.name, corpus.task, corpus.language, f"{count:,}" if count else "", where, may_ship)
        table.add_row(*row, corpus.licence)
    Console(highlight=False, markup=False).print(table)


def _count_entities(corpus: Corpus) -> int:
    counts = (split.get("entities", 0) for split in corpus.counts.values())
    return sum(count for count in counts if isinstance(count, int))


def get(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Corpora, e.g. NCBI-disease.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Folder of corpora; MEDSPAN_DATA may name it."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="URL", help="Read the source files from this address or folder instead."
        ),
    ] = None,
) -> None:
    """Download and convert public corpora.

    The files come from a public repository at a fixed commit, and are kept only if they have the digests of
    the catalogue. Behind a proxy, set https_proxy.
    """
    for name in names:
        folder = getting.get(name, output, base=base, tell=lambda line: typer.echo(line, err=True))
        typer.echo(folder)


def invent(
    output: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to write train, dev and test into.")
    ],
    notes: Annotated[
        int, typer.Option(min=1, help="Notes of train; dev and test have a quarter as many.")
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same notes.")] = 13,
) -> None:
    """Write invented discharge notes with medication entries.

    In the form of the i2b2 2009 challenge, for trying things out. Test notes have templates and drug names of
    their own. Scores on invented notes say nothing about real ones.
    """
    output.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        count = notes if split == "train" else max(1, notes // 4)
        formats.write(discharge_notes(split, count, seed=seed), output / split, "i2b2-2009")
        typer.echo(str(output / split))

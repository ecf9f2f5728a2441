"""The verb ``suggest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from medspan import formats
from medspan.cli.columns import IdColumn, TextColumn
from medspan.formats import files
from medspan.formats.protocol import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.model.session import Device
    from medspan.suggest import Measure
    from medspan.types import Document


def suggest(  # noqa: PLR0917 - typer declares options as defaults
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, or the name of a model.")],
    texts: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help="Files or folders of unlabelled text; - for stdin.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="File or folder to write; - for stdout.")
    ] = files.STANDARD,
    format: Annotated[  # noqa: A002 - the word every verb uses
        str | None, typer.Option(metavar="FORMAT", help="Format of OUT, where its name does not tell.")
    ] = None,
    read_as: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help="Format to read, where names do not tell."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Sentences to suggest.")] = 100,
    by: Annotated[
        str,
        typer.Option(
            metavar="sentence|word",
            help="What annotating costs by: sentences, or words (favours short ones).",
        ),
    ] = "sentence",
    pool: Annotated[
        int,
        typer.Option(min=1, help="Choose from so many of the least sure sentences for each suggested one."),
    ] = 10,
    longest: Annotated[int, typer.Option(min=1, help="Words of the longest sentence to suggest.")] = 200,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Leave out the sentences of this file or folder; may be repeated."),
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all cores otherwise.")] = None,
    text_column: TextColumn = "text",
    id_column: IdColumn = "id",
) -> None:
    """Choose the sentences to annotate next.

    Those the model is least sure of and that differ from one another, the best first, each a document with
    what the model finds as pre-annotation. Any amount of text is read in flat memory.
    """
    from medspan.pipeline import load  # noqa: PLC0415 - --help stays quick
    from medspan.suggest import suggest as choose  # noqa: PLC0415 - as above

    recognizer = load(model, device=cast("Device", device), threads=threads)
    options = ReadOptions(text_column=text_column, id_column=id_column)
    chosen = choose(
        recognizer,
        _documents(texts, read_as, options),
        count=count,
        by=cast("Measure", by),  # suggest checks it
        pool=pool,
        longest=longest,
        exclude=_documents(exclude or [], None, options),
    )
    wanted = format or ("jsonl" if output == files.STANDARD else None)
    losses = formats.write(chosen, output, wanted)
    for reason, number in sorted(losses.counts.items()):
        typer.echo(f"not held by the format: {reason}: {number:,}", err=True)
    typer.echo(f"{len(chosen):,} sentences", err=True)


def _documents(paths: Iterable[str], read_as: str | None, options: ReadOptions) -> Iterator[Document]:
    for path in paths:
        yield from formats.read(Path(path), read_as or ("text" if path == "-" else None), options)

"""The verb ``annotate``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from medspan import formats
from medspan.cli.listing import show_document
from medspan.cli.rejected import OnError, RejectedFile, rejected_path, report
from medspan.errors import UsageError, did_you_mean
from medspan.formats import files
from medspan.formats.protocol import ReadOptions, WriteOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.types import Document

LISTING = "listing"


def annotate(  # noqa: PLR0917 - typer declares options as defaults
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files or folders to read; - for stdin.")
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="OUT", help="File or folder to write; stdout otherwise."),
    ] = None,
    format: Annotated[  # noqa: A002 - the word every verb uses
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="Format to write: listing, jsonl, conll, brat, html ...; else by OUT's name.",
        ),
    ] = None,
    read_as: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Format to read, where names do not tell.")
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="A model folder, or the name of a shipped model.")
    ] = "default",
    types: Annotated[
        str | None, typer.Option(metavar="A,B", help="Labels to find; all the model knows otherwise.")
    ] = None,
    min_score: Annotated[
        float, typer.Option(min=0, max=1, help="Drop entities below this confidence.")
    ] = 0.0,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads to use; all cores otherwise.")] = None,
    on_error: Annotated[
        OnError, typer.Option(help="Malformed input: stop, or skip it and keep it in OUT.rejected.jsonl.")
    ] = OnError.STOP,
) -> None:
    """Find entities in text, files or folders.

    Without -o a coloured listing goes to a terminal, and JSONL, one document a line, to a pipe.
    """
    from medspan.pipeline import load  # noqa: PLC0415 - --help stays quick

    wanted = _format(format, output)
    labels = [label.strip() for label in types.split(",") if label.strip()] if types else None
    recognizer = load(model, device=device, threads=threads, labels=labels, min_score=min_score)  # type: ignore[arg-type]
    target = files.STANDARD if output is None else Path(output)
    losses = None
    with ExitStack() as stack:
        rejected = RejectedFile(rejected_path(Path(paths[0]), target), stack)
        options = ReadOptions(rejected=rejected.add if on_error is OnError.SKIP else None)
        found = recognizer.annotate(_documents(paths, read_as, options))
        if wanted == LISTING:
            _show(found)
        else:
            losses = formats.write(found, target, wanted, WriteOptions())
    report(losses, rejected)


def _format(name: str | None, output: str | None) -> str:
    known = [LISTING, *formats.WRITERS]
    if name is not None:
        if name not in known:
            raise UsageError(f"--format {name}: unknown; {did_you_mean(name, known)}")
        if name == LISTING and output is not None:
            raise UsageError("--format listing is for the screen; leave out -o, or choose another format")
        return name
    if output is not None:
        return formats.guess_format(output)
    return LISTING if sys.stdout.isatty() else "jsonl"


def _documents(paths: list[str], read_as: str | None, options: ReadOptions) -> Iterator[Document]:
    for path in paths:
        yield from formats.read(Path(path), read_as or ("text" if path == "-" else None), options)


def _show(documents: Iterator[Document]) -> None:
    console = Console(highlight=False, soft_wrap=False)
    for document in documents:
        show_document(console, document)

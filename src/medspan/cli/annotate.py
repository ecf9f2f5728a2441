"""The verb ``annotate``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console

from medspan import formats
from medspan.cli import bulk
from medspan.cli.columns import IdColumn, TextColumn
from medspan.cli.listing import show_document
from medspan.cli.rejected import OnError, RejectedFile, rejected_path, report
from medspan.errors import UsageError, did_you_mean
from medspan.formats import files
from medspan.formats.protocol import ReadOptions, WriteOptions
from medspan.jobs.parts import MOST_CHARACTERS, PART_DOCUMENTS, Limits
from medspan.jobs.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.model.session import Device as DeviceName
    from medspan.types import Document

LISTING = "listing"


class Packing(StrEnum):
    """How parts are packed."""

    GZ = "gz"
    ZST = "zst"


Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Files or folders to read; - for stdin.")]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="OUT", help="File, or folder (OUT/), to write; stdout otherwise."),
]
Format = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT", help="Format to write: listing, jsonl, conll, brat, html ...; else by OUT's name."
    ),
]
ReadAs = Annotated[
    str | None, typer.Option("--from", metavar="FORMAT", help="Format to read, where names do not tell.")
]
Model = Annotated[str, typer.Option(metavar="MODEL", help="A model folder, or the name of a model.")]
Types = Annotated[
    str | None, typer.Option(metavar="A,B", help="Labels to find; all the model knows otherwise.")
]
MinScore = Annotated[float, typer.Option(min=0, max=1, help="Drop entities below this confidence.")]
Stages = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="What to add to the entities: sections, assertion, relations, codes=INDEX; nothing otherwise. "
        "sections=TABLE, assertion=TABLE, relations=MODEL and codes.LABEL=INDEX use what is your own.",
    ),
]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of a process; all cores, or one of each worker, otherwise.")
]
Errors = Annotated[
    OnError | None,
    typer.Option(
        help="Malformed input: stop (the default, except into a folder), or skip it and keep it aside."
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Worker processes; into a folder, one a core otherwise.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the job in the folder OUT/.")]
PartDocuments = Annotated[int, typer.Option(min=1, help="Into a folder: the most documents in a part.")]
MostCharacters = Annotated[
    int, typer.Option(min=1, help="Into a folder: a longer document becomes an error row.")
]
Compress = Annotated[Packing | None, typer.Option(help="Into a folder: pack the parts.")]


def annotate(  # noqa: PLR0917 - typer declares options as defaults
    paths: Paths,
    output: Output = None,
    format: Format = None,  # noqa: A002 - the word every verb uses
    read_as: ReadAs = None,
    model: Model = "default",
    types: Types = None,
    min_score: MinScore = 0.0,
    stages: Stages = None,
    device: Device = "auto",
    threads: Threads = None,
    on_error: Errors = None,
    text_column: TextColumn = "text",
    id_column: IdColumn = "id",
    workers: Workers = None,
    resume: Resume = False,
    part_documents: PartDocuments = PART_DOCUMENTS,
    max_document_chars: MostCharacters = MOST_CHARACTERS,
    compress: Compress = None,
) -> None:
    """Find entities in text, files or folders.

    Without -o a coloured listing goes to a terminal, and JSONL, one document a line, to a pipe. Where OUT is
    a folder (OUT/), it gets JSONL in parts and a manifest: any number of documents, several processes, and a
    job that was stopped or killed goes on with --resume.
    """
    labels, added = names(types), names(stages)
    _check_stages(added)
    request = Request(
        inputs=tuple(paths),
        read_as=read_as,
        text_column=text_column,
        id_column=id_column,
        model=model,
        types=labels or None,
        min_score=min_score,
        stages=added,
        device=device,
        threads=threads,
        workers=workers,
        compress=None if compress is None else compress.value,
        limits=Limits(documents=part_documents, document_characters=max_document_chars),
        is_resumed=resume,
        stop_at_errors=on_error is OnError.STOP,
    )
    if output is not None and bulk.is_folder(output) and format in {None, "jsonl"}:
        bulk.run(request, output)
    else:
        bulk.refuse_options(request)
        wanted = _format(format, output)
        bulk.refuse_slash(output, wanted)
        _annotate(request, output, wanted, is_kept=on_error is OnError.SKIP)


def names(listed: str | None) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in (listed or "").split(",") if name.strip())


def _check_stages(names: tuple[str, ...]) -> None:
    """Refuse an unknown stage before a model is loaded."""
    if names:
        from medspan.tasks.stages import check_stages  # noqa: PLC0415 - --help stays quick

        check_stages(names)


def _annotate(request: Request, output: str | None, wanted: str, *, is_kept: bool) -> None:
    """Annotate to the screen, to a file, or to a folder of a format other than JSONL."""
    target = files.STANDARD if output is None else Path(output)
    losses = None
    with ExitStack() as stack:
        rejected = RejectedFile(rejected_path(Path(request.inputs[0]), target), stack)
        options = ReadOptions(
            rejected=rejected.add if is_kept else None,
            text_column=request.text_column,
            id_column=request.id_column,
        )
        documents = documents_of(request, options)
        if wanted == "jsonl" and request.workers is not None:
            _write_lines(request, documents, target)
        elif wanted == LISTING:
            _show(_annotated(request, documents))
        else:
            made_by = WriteOptions(model=Path(request.model).name)
            losses = formats.write(_annotated(request, documents), target, wanted, made_by)
    report(losses, rejected)


def _annotated(request: Request, documents: Iterator[Document]) -> Iterator[Document]:
    """The documents with entities: by this process, or by worker processes where some are asked for."""
    if request.workers is not None:
        from medspan.jobs.job import setup_of  # noqa: PLC0415 - --help stays quick
        from medspan.jobs.stream import stream_documents  # noqa: PLC0415 - as above

        return stream_documents(documents, setup_of(request, None), request.workers)
    from medspan.pipeline import load, with_stages  # noqa: PLC0415 - as above

    recognizer = load(
        request.model,
        device=cast("DeviceName", request.device),  # load checks it
        threads=request.threads,
        labels=request.types,
        min_score=request.min_score,
    )
    return iter(with_stages(recognizer, request.stages).annotate(documents))


def _write_lines(request: Request, documents: Iterator[Document], target: Path) -> None:
    """JSONL by worker processes, which make the lines too."""
    from medspan.jobs.job import setup_of  # noqa: PLC0415 - --help stays quick
    from medspan.jobs.stream import stream_lines  # noqa: PLC0415 - as above

    with files.writing(target) as handle:
        for lines in stream_lines(documents, setup_of(request, None), request.workers or 1):
            handle.write(lines.decode())


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


def documents_of(request: Request, options: ReadOptions) -> Iterator[Document]:
    """The documents of all inputs, one after another."""
    for path in request.inputs:
        yield from formats.read(Path(path), request.read_as or ("text" if path == "-" else None), options)


def _show(documents: Iterator[Document]) -> None:
    console = Console(highlight=False, soft_wrap=False)
    for document in documents:
        show_document(console, document)

"""The verb ``convert``."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medspan import formats
from medspan.cli.columns import IdColumn, TextColumn
from medspan.cli.rejected import OnError, RejectedFile, rejected_path, report
from medspan.errors import UsageError
from medspan.formats import files
from medspan.formats.protocol import ReadOptions, WriteOptions


class TagScheme(StrEnum):
    """How CoNLL tags mark the first and last word of a mention."""

    IOB1 = "IOB1"
    IOB2 = "IOB2"
    IOBES = "IOBES"


FhirTables = Annotated[
    list[Path] | None,
    typer.Option(metavar="TABLE", help="FHIR: what becomes of labels of your own; may stand several times."),
]
MadeBy = Annotated[
    str | None, typer.Option(metavar="NAME", help="FHIR, OMOP: the model that found the entities.")
]
Day = Annotated[
    str | None,
    typer.Option(metavar="YYYY-MM-DD", help="FHIR, OMOP: the day they were found; today otherwise."),
]


def convert(  # noqa: PLR0917 - typer fills the options by name
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file, a folder, or - for standard input.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="A file, a folder, or - for standard output.")
    ],
    source_format: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help="Format of IN, where its name does not tell."),
    ] = None,
    target_format: Annotated[
        str | None,
        typer.Option("--to", metavar="FORMAT", help="Format of OUT, where its name does not tell."),
    ] = None,
    on_error: Annotated[
        OnError, typer.Option(help="Malformed input: stop, or skip it and keep it in OUT.rejected.jsonl.")
    ] = OnError.STOP,
    tag_scheme: Annotated[
        TagScheme | None, typer.Option(help="CoNLL tags; as they were read, or IOB2, if not given.")
    ] = None,
    spacing: Annotated[
        bool, typer.Option(help="CoNLL: a column with the blanks between words, so that nothing moves.")
    ] = True,
    document_text: Annotated[
        bool, typer.Option("--document-text", help="Tables: a column with each document's text.")
    ] = False,
    source_text: Annotated[
        bool, typer.Option(help="FHIR: each note's text in its bundle; else its size and digest.")
    ] = True,
    fhir_table: FhirTables = None,
    model: MadeBy = None,
    date: Day = None,
    split: Annotated[str, typer.Option(help="hf: the split of documents whose meta names none.")] = "train",
    text_column: TextColumn = "text",
    id_column: IdColumn = "id",
) -> None:
    """Convert annotated documents from one format to another.

    What the target format cannot hold is counted on standard error. OUT is written whole or not at all.
    """
    _check_names(source, target)
    options = WriteOptions(
        tag_scheme=tag_scheme.value if tag_scheme else None,
        spacing=spacing,
        document_text=document_text,
        source_text=source_text,
        fhir_tables=tuple(fhir_table or ()),
        model=model,
        date=date,
        split=split,
    )
    with ExitStack() as stack:
        rejected = RejectedFile(rejected_path(source, target), stack)
        read_options = ReadOptions(
            rejected=rejected.add if on_error is OnError.SKIP else None,
            text_column=text_column,
            id_column=id_column,
        )
        documents = formats.read(source, source_format, read_options)
        losses = formats.write(documents, target, target_format, options)
    report(losses, rejected)


def _check_names(source: Path, target: Path) -> None:
    if source == target and source != files.STANDARD:
        raise UsageError(f"{target}: IN and OUT are the same; name another OUT")

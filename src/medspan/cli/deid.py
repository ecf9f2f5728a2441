"""The verbs ``deid`` and ``reidentify``."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from medspan import formats
from medspan.cli import bulk, deid_folder
from medspan.cli.annotate import (
    Compress,
    Format,
    MostCharacters,
    PartDocuments,
    Paths,
    ReadAs,
    Resume,
    Threads,
    Workers,
    documents_of,
)
from medspan.cli.columns import IdColumn, TextColumn
from medspan.errors import UsageError, did_you_mean
from medspan.formats import files
from medspan.formats.protocol import ReadOptions, WriteOptions
from medspan.jobs.parts import MOST_CHARACTERS, PART_DOCUMENTS, Limits
from medspan.jobs.request import NO_MODEL, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.errors import FormatError
    from medspan.tasks.deid.annotator import Deidentifier, Result
    from medspan.tasks.deid.report import ChangeReport
    from medspan.tasks.deid.vault import VaultWriter
    from medspan.tasks.protocols import Annotator
    from medspan.types import Document

PASSPHRASE = "MEDSPAN_VAULT_PASSPHRASE"  # noqa: S105 - the name of a variable
SHIPPED = "deid"
"""The model that comes with medspan, for English."""
_CHUNK = 64

Output = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="OUT", help="File, or folder (OUT/), to write; JSONL to stdout otherwise."
    ),
]
PolicyName = Annotated[
    str,
    typer.Option(metavar="FILE", help="Policy: redact, surrogate, or a TOML file that names every label."),
]
Vault = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep the originals in this encrypted file.", dir_okay=False),
]
Report = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write what was changed, without the text, as JSON lines.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Secret of hashes, surrogates and moved days; else MEDSPAN_DEID_KEY, else random. "
        "A folder (OUT/) needs one.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        metavar="MODEL",
        help="A model that finds identifiers (folder or name); none: patterns and lists of names alone.",
    ),
]


def deid(  # noqa: PLR0917 - typer declares options as defaults
    paths: Paths,
    output: Output = None,
    format: Format = None,  # noqa: A002 - the word every verb uses
    read_as: ReadAs = None,
    policy: PolicyName = "redact",
    model: Model = SHIPPED,
    vault: Vault = None,
    report: Report = None,
    key_file: KeyFile = None,
    threads: Threads = None,
    text_column: TextColumn = "text",
    id_column: IdColumn = "id",
    workers: Workers = None,
    resume: Resume = False,
    part_documents: PartDocuments = PART_DOCUMENTS,
    max_document_chars: MostCharacters = MOST_CHARACTERS,
    compress: Compress = None,
) -> None:
    """Take what identifies people out of text, files or folders.

    A note that cannot be read or changed is left out of the output and named in the report; the others go on,
    and the exit code is 1. Where OUT is a folder (OUT/), it gets JSONL in parts and a manifest, as with
    `medspan annotate`: several processes, and --resume after a stop or a kill.
    """
    request = Request(
        inputs=tuple(paths),
        read_as=read_as,
        text_column=text_column,
        id_column=id_column,
        model=model,
        threads=threads,
        workers=workers,
        compress=None if compress is None else compress.value,
        limits=Limits(documents=part_documents, document_characters=max_document_chars),
        is_resumed=resume,
    )
    asked = deid_folder.Asked(policy, key_of(key_file), key_file, vault, report)
    if output is not None and bulk.is_folder(output) and format in {None, "jsonl"}:
        deid_folder.run(request, output, asked)
    else:
        bulk.refuse_options(request, with_workers=True)
        wanted = _format(format, output)
        bulk.refuse_slash(output, wanted)
        _to_file(request, output, wanted, asked)


def reidentify(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="What `medspan deid` wrote.")],
    vault: Annotated[Path, typer.Option(metavar="FILE", help="The vault written with it.")],
    output: Output = None,
    format: Format = None,  # noqa: A002 - the word every verb uses
) -> None:
    """Put back what a vault of deid kept."""
    from medspan.tasks.deid.vault import Vault  # noqa: PLC0415 - --help stays quick

    files.refuse_missing(path)
    files.refuse_missing(vault)
    kept = Vault(vault, _passphrase(is_new=False))
    restored = (kept.restore(document) for document in formats.read(path))
    formats.write(
        restored, Path(output) if output else files.STANDARD, _format(format, output), WriteOptions()
    )


def _to_file(request: Request, output: str | None, wanted: str, asked: deid_folder.Asked) -> None:
    """De-identify to a file, to standard output, or to a folder of a format other than JSONL."""
    from medspan.tasks.deid.report import ChangeReport  # noqa: PLC0415 - --help stays quick

    deidentifier = _deidentifier(request, asked)
    with ExitStack() as stack:
        write = stack.enter_context(files.writing(asked.report)).write if asked.report else None
        changes = ChangeReport(deidentifier.policy, write)
        keeper = stack.enter_context(_vault(asked.vault)) if asked.vault else None
        run = _Run(deidentifier, changes, keeper)
        formats.write(
            run.documents(request), Path(output) if output else files.STANDARD, wanted, WriteOptions()
        )
        changes.close()
    _summarize(changes, is_random=asked.key is None, policy=asked.policy)
    if changes.errors:
        raise typer.Exit(1)


class _Run:
    """Documents through a de-identifier, where one that fails costs only itself."""

    def __init__(self, deidentifier: Deidentifier, changes: ChangeReport, keeper: VaultWriter | None) -> None:
        from medspan.jobs.annotating import Annotating  # noqa: PLC0415 - --help stays quick
        from medspan.jobs.deid import plain_for  # noqa: PLC0415 - as above

        self._deidentifier, self._changes, self._keeper = deidentifier, changes, keeper
        # It asks for nothing of what an annotator gives but its order, so that results serve as documents.
        self._annotating = Annotating(
            cast("Annotator", _Results(deidentifier)), plain=plain_for(deidentifier.policy)
        )

    def documents(self, request: Request) -> Iterator[Document]:
        """The changed documents; those that fail are counted."""
        options = ReadOptions(
            rejected=self._reject, text_column=request.text_column, id_column=request.id_column
        )
        stream = documents_of(request, options)
        while chunk := list(islice(stream, _CHUNK)):
            yield from self._changed(chunk)

    def _changed(self, chunk: list[Document]) -> Iterator[Document]:
        from medspan.jobs.annotating import Failure  # noqa: PLC0415 - --help stays quick

        found = self._annotating.each(chunk, lambda result: cast("Result", result))
        for before, result in zip(chunk, found, strict=True):
            if isinstance(result, Failure):
                self._changes.fail(self._deidentifier.id_of_failed(before.id), result.reason)
                continue
            if self._keeper:
                self._keeper.add(result)
            self._changes.add(result.document)
            yield result.document

    def _reject(self, error: FormatError, _unit: str) -> None:
        """Count what could not be read; its text is kept nowhere."""
        place = f"{error.path}:{error.line}" if error.line is not None else error.path
        self._changes.fail(place, f"{error.problem}; {error.remedy}")


class _Results:
    def __init__(self, deidentifier: Deidentifier) -> None:
        self._deidentifier = deidentifier

    def annotate(self, documents: Iterable[Document]) -> Iterator[Result]:
        return self._deidentifier.results(documents)


def _deidentifier(request: Request, asked: deid_folder.Asked) -> Deidentifier:
    from medspan.pipeline import load  # noqa: PLC0415 - --help stays quick
    from medspan.tasks.deid.annotator import Deidentifier  # noqa: PLC0415 - as above
    from medspan.tasks.deid.policy import load_policy  # noqa: PLC0415 - as above

    loaded = load_policy(asked.policy)
    recognizer = None if request.model == NO_MODEL else load(request.model, threads=request.threads)
    return Deidentifier(loaded, recognizer, key=asked.key)


def key_of(key_file: Path | None) -> bytes | None:
    """The secret of de-identification: of a file, else of the environment, else None."""
    from medspan.tasks.deid.pipelines import checked_key, key_from_environment  # noqa: PLC0415 - as above

    if key_file is None:
        return key_from_environment()
    files.refuse_missing(key_file)
    return checked_key(key_file.read_bytes().strip(), str(key_file))


def _vault(path: Path) -> VaultWriter:
    from medspan.tasks.deid.vault import VaultWriter  # noqa: PLC0415 - --help stays quick

    return VaultWriter(path, _passphrase(is_new=True))


def _passphrase(*, is_new: bool) -> str:
    found = os.environ.get(PASSPHRASE)
    if found is None and sys.stdin.isatty():
        found = typer.prompt("Passphrase of the vault", hide_input=True, confirmation_prompt=is_new, err=True)
    if not found:
        raise UsageError(
            f"a vault needs a passphrase; set {PASSPHRASE}, or run this in a terminal to be asked"
        )
    return str(found)


def _format(name: str | None, output: str | None) -> str:
    if name is not None:
        if name not in formats.WRITERS:
            raise UsageError(f"--format {name}: unknown; {did_you_mean(name, formats.WRITERS)}")
        return name
    return "jsonl" if output is None else formats.guess_format(output)


def _summarize(changes: ChangeReport, *, is_random: bool, policy: str) -> None:
    typer.echo(f"{changes.documents:,} documents, changed: {deid_folder.shown(changes.changed)}", err=True)
    if is_random and policy != "redact":
        typer.echo(
            "the key was random: surrogates and hashes of another run will differ (--key-file)", err=True
        )
    if changes.errors:
        typer.echo(f"left out: {changes.errors:,} documents that failed; --report FILE names them", err=True)

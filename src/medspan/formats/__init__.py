"""Readers and writers of corpora and results, by format name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medspan.errors import UsageError, did_you_mean
from medspan.formats import (
    bioc_json,
    bioc_xml,
    blocks,
    brat,
    conll,
    fhir,
    files,
    hf,
    html,
    i2b2,
    jsonl,
    notes,
    omop,
    parquet,
    pubtator,
    table,
    text,
)
from medspan.formats.protocol import (
    Losses,
    Reader,
    ReadOptions,
    WriteOptions,
    Writer,
    unless_too_long,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.types import Document

__all__ = [
    "READERS",
    "WRITERS",
    "Losses",
    "ReadOptions",
    "WriteOptions",
    "extension_of",
    "guess_format",
    "read",
    "write",
]

READERS: dict[str, Reader] = {
    "bioc_json": bioc_json.read,
    "bioc_xml": bioc_xml.read,
    "blocks": blocks.read,
    "brat": brat.read,
    "conll": conll.read,
    "fhir": fhir.read,
    "i2b2-2009": i2b2.read,
    "jsonl": jsonl.read,
    "notes": notes.read,
    "parquet": parquet.read,
    "pubtator": pubtator.read,
    "table": table.read,
    "text": text.read,
}

WRITERS: dict[str, Writer] = {
    "bioc_json": bioc_json.write,
    "bioc_xml": bioc_xml.write,
    "brat": brat.write,
    "conll": conll.write,
    "fhir": fhir.write,
    "hf": hf.write,
    "html": html.write,
    "i2b2-2009": i2b2.write,
    "jsonl": jsonl.write,
    "omop": omop.write,
    "pubtator": pubtator.write,
    "table": table.write,
    "text": text.write,
}

# Not among them, for others have their extensions: blocks (.txt), notes and omop (.csv) are named; so is
# hf, a folder.
_EXTENSIONS = {
    "bioc_json": bioc_json.EXTENSIONS,
    "bioc_xml": bioc_xml.EXTENSIONS,
    "brat": brat.EXTENSIONS,
    "conll": conll.EXTENSIONS,
    "fhir": fhir.EXTENSIONS,
    "html": html.EXTENSIONS,
    "i2b2-2009": i2b2.EXTENSIONS,
    "jsonl": jsonl.EXTENSIONS,
    "parquet": parquet.EXTENSIONS,
    "pubtator": pubtator.EXTENSIONS,
    "table": table.EXTENSIONS,
    "text": text.EXTENSIONS,
}

# Formats that have .txt files beside them: the texts, or the ids of the documents.
_WITH_TEXTS = {"brat", "conll", "i2b2-2009", "table"}


def guess_format(path: Path | str) -> str:
    """The format a path's extension (``.gz`` and the like ignored), or those of a folder's files, speak of.

    Subfolders count where none of the folder's own files tells.

    Raises:
        UsageError: if no format or several fit.
    """
    path = Path(path)
    if path == files.STANDARD:
        raise UsageError("standard input and output have no extension; name the format")
    if path.is_dir():
        own = {files.suffix_of(file) for file in path.iterdir()}
        found = _formats_of(own) or _formats_of(files.suffixes_below(path))
    else:
        found = _formats_of({files.suffix_of(path)})
    if _WITH_TEXTS & set(found) and "text" in found:
        found.remove("text")
    if len(found) == 1:
        return found[0]
    known = ", ".join(sorted(extension for group in _EXTENSIONS.values() for extension in group))
    problem = (
        f"several formats fit ({', '.join(found)})" if found else f"no format is known by it; known: {known}"
    )
    raise UsageError(f"{path}: {problem}; name the format")


def extension_of(name: str) -> str:
    """The extension of a format's files; that of a plain table where it has none of its own."""
    return _EXTENSIONS[name][0] if name in _EXTENSIONS else ".csv"


def _formats_of(suffixes: set[str]) -> list[str]:
    return [name for name, known in _EXTENSIONS.items() if suffixes & set(known)]


def read(
    path: Path | str,
    format: str | None = None,  # noqa: A002 - the word every caller expects
    options: ReadOptions = ReadOptions(),
) -> Iterator[Document]:
    """Documents of a file, a folder or standard input (``-``).

    Raises:
        UsageError: if the format is unknown or there is nothing to read.
        FormatError: where the input is malformed and ``options.rejected`` is None.
    """
    if format is None:  # what is not there should not be told that its name speaks of no format
        files.refuse_missing(Path(path))
    name = format or guess_format(path)
    if name not in READERS:
        raise UsageError(f"cannot read format {name!r}; {did_you_mean(name, READERS)}")
    found = READERS[name](Path(path), options)
    return found if options.max_chars is None else _short_enough(found, Path(path), options)


def _short_enough(found: Iterator[Document], path: Path, options: ReadOptions) -> Iterator[Document]:
    """The documents within the limit, also of formats whose readers do not look at it."""
    for document in found:
        yield from unless_too_long(document, options, f"{files.name_of(path)}: document {document.id!r}")


def write(
    documents: Iterable[Document],
    path: Path | str,
    format: str | None = None,  # noqa: A002 - the word every caller expects
    options: WriteOptions = WriteOptions(),
) -> Losses:
    """Write documents whole or not at all; returns what the format could not hold.

    Raises:
        UsageError: if the format is unknown or the path cannot be written.
    """
    name = format or guess_format(path)
    if name not in WRITERS:
        raise UsageError(f"cannot write format {name!r}; {did_you_mean(name, WRITERS)}")
    return WRITERS[name](documents, Path(path), options)

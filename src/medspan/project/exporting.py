"""What was annotated, as a file of any format medspan writes; a zip where that is several files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from medspan import formats
from medspan.errors import UsageError, did_you_mean
from medspan.formats.files import file_name
from medspan.project.documents import as_document
from medspan.project.structs import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.project.store import Project
    from medspan.types import Document

FOLDERS = frozenset({"brat", "hf", "i2b2-2009", "text"})
"""Formats of several files."""
_ZIP = "application/zip"
_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".xml": "application/xml",
    ".html": "text/html; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".tsv": "text/tab-separated-values; charset=utf-8",
}


class Exported(NamedTuple):
    """A file to hand out."""

    name: str
    media_type: str
    content: bytes


def export(project: Project, format: str, annotator: str | None = None) -> Exported:  # noqa: A002 - the word every caller expects
    """What was annotated, as a file.

    Args:
        project: what is done in it is exported.
        format: of `medspan.formats.WRITERS`.
        annotator: whose; where None, a zip with one file or folder an annotator.

    Raises:
        UsageError: if the format is unknown.
        NotFoundError: if nobody, or not the one asked for, has done a document.
    """
    if format not in formats.WRITERS:
        raise UsageError(f"format {format!r}: cannot be written; {did_you_mean(format, formats.WRITERS)}")
    names = _names(project, annotator)
    extension = "" if format in FOLDERS else formats.extension_of(format)
    with TemporaryDirectory(prefix="medspan-") as folder:
        for number, name in enumerate(names):
            place = Path(folder, str(number))
            place.mkdir()
            formats.write(_documents(project, name), place / f"{project.name}{extension}", format)
        alone = Path(folder, "0", f"{project.name}{extension}")
        if annotator is not None and [alone] == list(alone.parent.iterdir()) and alone.is_file():
            media = _TYPES.get(alone.suffix, "text/plain; charset=utf-8")
            return Exported(alone.name, media, alone.read_bytes())
        parts = {str(number): file_name(name) for number, name in enumerate(names)}
        return Exported(f"{project.name}.zip", _ZIP, _zipped(Path(folder), parts))


def _names(project: Project, annotator: str | None) -> Sequence[str]:
    names = [each.name for each in project.annotations.annotators() if each.done]
    if annotator is not None:
        names = [name for name in names if name == annotator]
    if not names:
        raise NotFoundError("nothing is done yet; save a document as done first")
    return names


def _documents(project: Project, annotator: str) -> list[Document]:
    done = project.annotations.done(annotator)
    return [as_document(row, done[row.number]) for row in project.documents.all() if row.number in done]


def _zipped(folder: Path, parts: dict[str, str]) -> bytes:
    """All files of a folder of numbered folders; the numbers give way to names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            first, *rest = path.relative_to(folder).parts
            archive.write(path, "/".join([parts[first], *rest]))
    return packed.getvalue()

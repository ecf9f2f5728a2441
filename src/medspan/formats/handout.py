"""Documents in a format as one thing to hand out: a file, or a zip where the format writes several."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from medspan import formats
from medspan.formats.files import file_name
from medspan.formats.protocol import WriteOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from medspan.types import Document

FOLDERS = frozenset({"brat", "hf", "i2b2-2009", "text"})
"""Formats that write a folder."""
_OTHER = "application/octet-stream"
_KINDS = {
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".xml": "application/xml",
    ".zip": "application/zip",
}
MEDIA_TYPES = (_OTHER, *sorted({kind.partition(";")[0] for kind in _KINDS.values()}))
"""Media types of what is handed out."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Handout(NamedTuple):
    """A file with a name, for those who get it over a network."""

    name: str
    media_type: str
    content: bytes


def handout(
    documents: Sequence[Document], name: str, stem: str, options: WriteOptions = WriteOptions()
) -> Handout:
    """Documents in a format.

    Args:
        documents: what is written.
        name: of a format of `medspan.formats.WRITERS`.
        stem: the name of the file without its extension.
        options: how to write.

    Raises:
        MedspanError: as of `medspan.formats.write`.
    """
    with TemporaryDirectory(prefix="medspan-") as folder:
        path = _written(documents, Path(folder), name, stem, options)
        if path.is_file() and list(path.parent.iterdir()) == [path]:
            return Handout(path.name, _KINDS.get(path.suffix, _OTHER), path.read_bytes())
        return _zip(stem, {"": Path(folder)})


def handouts(parts: Mapping[str, Sequence[Document]], name: str, stem: str) -> Handout:
    """Several lots of documents in a format, as a zip with a folder for each, called as it is.

    Raises:
        MedspanError: as of `medspan.formats.write`.
    """
    with TemporaryDirectory(prefix="medspan-") as folder:
        places = {file_name(part): Path(folder, str(number)) for number, part in enumerate(parts)}
        for place, documents in zip(places.values(), parts.values(), strict=True):
            place.mkdir()
            _written(documents, place, name, stem, WriteOptions())
        return _zip(stem, places)


def _written(
    documents: Sequence[Document], folder: Path, name: str, stem: str, options: WriteOptions
) -> Path:
    path = folder / (stem if name in FOLDERS else f"{stem}{formats.extension_of(name)}")
    formats.write(documents, path, name, options)
    return path


def _zip(stem: str, places: Mapping[str, Path]) -> Handout:
    """Folders as a zip, with the same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, place in places.items():
            for file in sorted(each for each in place.rglob("*") if each.is_file()):
                parts = [name, *file.relative_to(place).parts]
                info = zipfile.ZipInfo("/".join(part for part in parts if part), _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, file.read_bytes())
    return Handout(f"{stem}.zip", _KINDS[".zip"], packed.getvalue())

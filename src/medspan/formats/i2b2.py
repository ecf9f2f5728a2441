r"""i2b2 2009 medication entries: a folder of notes, each with a file of entries, one a line.

``NAME.txt`` (or ``NAME``, as the challenge delivers) is the note, ``NAME.i2b2.entries`` (or
``NAME.entries``, ``NAME_gold.entries``) holds lines of seven fields in this order::

    m="warfarin" 4:4 4:4||do="5 mg" 4:5 4:6||mo="po" 4:7 4:7||f="daily" 4:8 4:8||du="nm"||r="nm"||ln="list"

A place is ``line:token``: lines from 1, tokens, which blanks separate, from 0; first and last token of the
mention. ``"nm"`` without places says that a field is not mentioned. The pieces of a discontinuous mention are
joined by ``" ... "``, their places by a comma. Mentions are spelled in lower case, and their letters and
digits must be those at the place.

Fields become entities ``Medication``, ``Dosage``, ``Mode``, ``Frequency``, ``Duration`` and ``Reason``,
with a relation from the medication to each other field, labelled like the field; ``ln`` is the attribute
``passage``. Every entry has a ``Medication`` entity of its own (``medspan.formats.i2b2_entries``); entries
that name the same words as a field share its entity.

Places are whole tokens. Where a token ends in a stop or begins with a bracket that the spelled mention
lacks, the entity is without it: ``daily`` at a token ``daily.`` is read, and written, as five letters. Other
mentions within tokens are widened to whole ones, and counted, as are fields that no medication has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.errors import FormatError, UsageError
from medspan.formats import files
from medspan.formats.i2b2_entries import FIELDS
from medspan.formats.i2b2_lines import entry_lines, parse
from medspan.formats.protocol import Losses, ReadOptions, WriteOptions, reject, unless_too_long
from medspan.formats.stems import identity_below, identity_of, visible_below, write_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medspan.types import Document

__all__ = ["EXTENSIONS", "FIELDS", "read", "write"]

EXTENSIONS = (".entries",)
_WRITTEN = ".i2b2.entries"
_ENDINGS = (_WRITTEN, "_gold.entries", ".entries")
_TEXT = ".txt"


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a folder of notes with entries (subfolders too), or of one file of entries.

    Raises:
        FormatError: where an entry is malformed or a note is missing; the file of entries is the unit that
            is rejected, for a note without some of its entries would teach what is wrong.
        UsageError: if there is nothing to read.
    """
    for entries, stem, identity in _notes(path):
        unit = ""
        try:
            text_file = _text_file(entries, stem)
            unit = files.read_text(entries)
            document = parse(files.read_text(text_file), unit, identity=identity, path=entries)
        except FormatError as error:
            reject(options, error, unit)
            continue
        yield from unless_too_long(document, options, text_file)


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write a note and its entries for each document into a folder.

    Raises:
        UsageError: if the folder cannot be written.
    """
    del options  # none concerns this format
    if path.suffix in EXTENSIONS and not path.is_dir():
        raise UsageError(f"{path}: i2b2-2009 is a folder of notes and their entries; name a folder")
    return write_files(documents, path, _pair)


def _pair(document: Document, losses: Losses) -> Iterable[tuple[str, str]]:
    return (_TEXT, document.text), (_WRITTEN, "".join(entry_lines(document, losses)))


def _notes(path: Path) -> list[tuple[Path, Path, str]]:
    """Each file of entries, the path of its note without extension, and the document's id."""
    if path == files.STANDARD:
        raise UsageError(
            "i2b2-2009 needs two files a note and cannot be read from standard input; name a folder"
        )
    files.refuse_missing(path)
    if not path.is_dir():
        if path.suffix not in EXTENSIONS:
            raise UsageError(f"{path}: no file of entries (.entries); name one, or a folder")
        stem = path.with_name(_stem(path.name))
        return [(path, stem, identity_of(stem.name))]
    found = sorted(visible_below(path, "*.entries"))
    if not found:
        raise UsageError(f"{path}: the folder has no .entries files; put them beside their notes")
    stems = [file.with_name(_stem(file.name)) for file in found]
    return [(file, stem, identity_below(path, stem)) for file, stem in zip(found, stems, strict=True)]


def _stem(name: str) -> str:
    ending = next(ending for ending in _ENDINGS if name.endswith(ending))
    return name.removesuffix(ending)


def _text_file(entries: Path, stem: Path) -> Path:
    twins = [stem.with_name(stem.name + ending) for ending in _ENDINGS]
    twins = [twin for twin in twins if twin.is_file()]
    if len(twins) > 1:
        names = " and ".join(twin.name for twin in twins)
        raise FormatError(entries, None, f"{names} are of the same note", "keep one of them in the folder")
    for name in (stem.name + _TEXT, stem.name):
        if name and (candidate := stem.with_name(name)).is_file():
            return candidate
    raise FormatError(entries, None, f"its note {stem.name}{_TEXT} is missing", "put it beside")

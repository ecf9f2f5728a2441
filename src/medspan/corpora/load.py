"""Reads a split of a corpus: one of the catalogue by name, or a user's own file or folder by path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medspan import formats
from medspan.corpora.places import SPLIT_STEMS, corpus_roots, split_files, split_name, user_corpora_dir
from medspan.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medspan.corpora.catalogue import Corpus
    from medspan.types import Document


def load(name_or_path: str | Path, split: str, *, format: str | None = None) -> list[Document]:  # noqa: A002 - the word users know
    """The documents of one split, in file order.

    Args:
        name_or_path: ``"ner/NCBI-disease"`` or ``"NCBI-disease"`` (found under MEDSPAN_DATA or where
            ``medspan corpora get`` put it), a file (which then *is* the split), or a folder with files or
            subfolders named train, dev (devel) and test of any known format. A name of the catalogue wins
            over a path; write ``./NAME`` for a folder of the same name.
        split: ``train``, ``dev`` (``devel``) or ``test``.
        format: a format of ``medspan.formats`` where the file's name does not tell it.

    Raises:
        DataError: if the corpus or the split is not there; the message says how to get it.
        UsageError: if the split has no known name.
    """
    path = split_path(name_or_path, split)
    return list(formats.read(path, format=format))


def split_path(name_or_path: str | Path, split: str) -> Path:
    """The file (or folder of files) that holds one split.

    Raises:
        DataError: if the corpus or the split is not there.
        UsageError: if the split has no known name.
    """
    split = split_name(split)
    place = find_corpus(name_or_path)
    if place.is_file():
        return place
    files = split_files(place)
    if split not in files:
        has = ", ".join(files) or "no split"
        raise DataError(
            f"{place}: no {split} split (it has {has}); a corpus folder holds files named train, dev and test"
        )
    return files[split]


def all_splits(name_or_path: str | Path) -> dict[str, Path]:
    """The file or folder of each split of a corpus, in the order train, dev, test.

    A single file has the split its name says, or ``all``; a folder without split names is ``all``.

    Raises:
        DataError: if the corpus is not there.
    """
    place = find_corpus(name_or_path)
    if place.is_file():
        stem = place.name.partition(".")[0].lower()
        return {next((name for name, stems in SPLIT_STEMS.items() if stem in stems), "all"): place}
    files = split_files(place)
    return {split: files[split] for split in SPLIT_STEMS if split in files} or {"all": place}


def find_corpus(name_or_path: str | Path) -> Path:
    """The file or folder of a corpus, by name or path.

    Raises:
        DataError: if it is not there; the message says how to get it.
    """
    name = str(name_or_path)
    found = None if isinstance(name_or_path, Path) else _find_by_name(name)
    if found is not None:
        return found
    path = Path(name_or_path).expanduser()
    if path.exists():
        return path
    raise DataError(_absent(name))


def local_names() -> dict[str, Path]:
    """Corpora that lie on this machine, ``group/name`` → folder, those of MEDSPAN_DATA first."""
    found: dict[str, Path] = {}
    for root in corpus_roots():
        for group in sorted(path for path in root.iterdir() if path.is_dir()):
            for folder in sorted(path for path in group.iterdir() if path.is_dir()):
                found.setdefault(f"{group.name}/{folder.name}", folder)
    return found


def places_of(corpora: Iterable[Corpus]) -> dict[str, Path]:
    """Folder of each corpus of the catalogue that lies on this machine with all its files."""
    return {
        corpus.name: (root / corpus.files[0].path).parent
        for corpus in corpora
        for root in reversed(corpus_roots())
        if all((root / file.path).is_file() for file in corpus.files)
    }


def _find_by_name(name: str) -> Path | None:
    names = local_names()
    if name in names:
        return names[name]
    # A bare name must match its case: ner/BC5CDR and standoff/bc5cdr are two corpora of the same texts.
    same = [full for full in names if full.partition("/")[2] == name]
    if len(same) > 1:
        raise DataError(f"corpus {name!r} names several; write one of: {', '.join(same)}")
    return names[same[0]] if same else None


def _absent(name: str) -> str:
    near = did_you_mean(name, local_names()) if local_names() else "no corpus is on this machine"
    return (
        f"corpus {name!r} is not on this machine ({near}); fetch it with `medspan corpora get {name}` "
        f"(to {user_corpora_dir()}), or set MEDSPAN_DATA to a folder that holds it, or name a file or folder"
    )

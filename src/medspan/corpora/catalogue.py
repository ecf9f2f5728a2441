"""The catalogue of public corpora: where each comes from, its licence, its files and their digests.

``catalogue.json`` is made by ``tools/make_catalogue.py``; do not edit it by hand.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from medspan.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path


class CorpusFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of a corpus; ``path`` starts at the corpora folder.

    ``sha256`` is of the file, ``unpacked_sha256`` of what a .gz or .xz file holds: another build of zlib
    packs the same text into other bytes.
    """

    path: str
    bytes: int
    sha256: str
    unpacked_sha256: str = ""


class Corpus(msgspec.Struct, frozen=True, omit_defaults=True):
    """A corpus of the catalogue.

    ``source`` maps each repository to the commit it was taken at. ``may_ship`` says whether weights
    trained on it may be shipped by this project; ``why_not`` says why not. ``share_alike`` says that weights
    trained on it are shared under CC BY-SA. ``same_texts_as`` names corpora that hold some of its texts.
    """

    name: str
    task: str
    language: str
    licence: str
    format: str
    about: str
    citation: str
    source: dict[str, str]
    splits: tuple[str, ...]
    files: tuple[CorpusFile, ...]
    counts: dict[str, dict[str, int | dict[str, int]]] = {}
    quirks: tuple[str, ...] = ()
    may_ship: bool = True
    why_not: str = ""
    share_alike: bool = False
    same_texts_as: tuple[str, ...] = ()
    can_get: bool = False

    @property
    def addresses(self) -> list[str]:
        """Pinned web addresses of the sources, one a repository."""
        return [
            f"https://github.com/{repository}/tree/{commit}" for repository, commit in self.source.items()
        ]


@cache
def catalogue() -> dict[str, Corpus]:
    """Every corpus of the catalogue by its full name, in order."""
    text = resources.files("medspan.corpora").joinpath("catalogue.json").read_bytes()
    return {corpus.name: corpus for corpus in msgspec.json.decode(text, type=tuple[Corpus, ...])}


def list_corpora() -> list[Corpus]:
    """Every corpus of the catalogue, in order of name."""
    return list(catalogue().values())


def find_entry(name: str) -> Corpus:
    """The corpus of that full name (``ner/NCBI-disease``) or bare name (``NCBI-disease``).

    A bare name in its exact case wins; then one in any case that only one corpus has.

    Raises:
        DataError: if no corpus or more than one has that name.
    """
    entries = catalogue()
    if name in entries:
        return entries[name]
    matches = [full for full in entries if full.partition("/")[2] == name]
    matches = matches or [
        full for full in entries if name.lower() in (full.lower(), full.partition("/")[2].lower())
    ]
    if len(matches) > 1:
        raise DataError(f"corpus {name!r} names several; write one of: {', '.join(matches)}")
    if not matches:
        raise DataError(
            f"no corpus {name!r} in the catalogue; {_near(name)}; `medspan corpora list` shows all"
        )
    return entries[matches[0]]


def known_entry(name: str) -> Corpus | None:
    """The corpus that `medspan.corpora.load` takes for that name, full or bare in its case, or None."""
    bare = [full for full in catalogue() if full.partition("/")[2] == name]
    return catalogue().get(name) or (catalogue()[bare[0]] if len(bare) == 1 else None)


def _near(name: str) -> str:
    hint = did_you_mean(name, [*catalogue(), *(full.partition("/")[2] for full in catalogue())])
    return hint if hint.startswith("did you mean") else "no name is near"


def damaged_files(corpus: Corpus, root: Path) -> list[str]:
    """Files of a corpus under ``root`` that are absent or whose digest is wrong, by path."""
    return [file.path for file in corpus.files if not _is_intact(root / file.path, file.sha256)]


def _is_intact(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest

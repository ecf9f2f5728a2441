"""Builds an index from terminologies and annotated mentions: what `medspan terminology build` does."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medspan.corpora import known_entry, split_path
from medspan.corpora import load as load_split
from medspan.errors import UsageError
from medspan.formats import files
from medspan.tasks.resolution.annotated import mention_names
from medspan.tasks.resolution.arrays import digest_of
from medspan.tasks.resolution.build import IndexBuilder, refuse_others
from medspan.tasks.resolution.readers import ReadSettings, check_format, format_of, read_names
from medspan.tasks.resolution.spec import Source
from medspan.tasks.resolution.terms import MOST_BAD_SHARE, ReadLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from medspan.tasks.resolution.spec import IndexSpec

UNKNOWN_LICENCE = "not stated"


class BuildSettings(msgspec.Struct, frozen=True):
    """What an index is built of, besides its sources.

    ``format``: of all sources; told from their names where None. ``read``: which names are taken.
    ``mentions``: corpora whose annotated mentions become names of their concepts, ``splits`` which parts of
    them, ``labels`` which entities. ``serves``: labels of the entities the index is for, all where empty.
    ``prefix``: of ids without one. ``most_bad``: share of lines that may be bad.
    """

    format: str | None = None
    read: ReadSettings = ReadSettings()
    mentions: tuple[str, ...] = ()
    splits: tuple[str, ...] = ("train",)
    labels: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    prefix: str = ""
    name: str = ""
    licence: str = UNKNOWN_LICENCE
    most_bad: float = MOST_BAD_SHARE


DEFAULTS = BuildSettings()


def build_index(
    sources: Sequence[Path | str],
    folder: Path | str,
    settings: BuildSettings = DEFAULTS,
    tell: Callable[[str], None] = lambda _: None,
) -> IndexSpec:
    """Read sources and write an index; the same sources and settings give the same bytes.

    Args:
        sources: files or folders of releases. The first counts as the best where names are equally likely.
        folder: where the index goes; one that stands there is replaced.
        settings: what else.
        tell: told what was read, and which lines were bad.

    Raises:
        UsageError: if a source is not there, its format cannot be told, or something else is at ``folder``.
        FormatError: if a source does not follow its format.
        DataError: if there is no name.
    """
    refuse_others(Path(folder).resolve())
    if not sources and not settings.mentions:
        raise UsageError("nothing to build from; name a terminology, or annotated mentions")
    paths = [Path(source) for source in sources]
    formats = [check_format(settings.format) if settings.format else format_of(path) for path in paths]
    builder = IndexBuilder(prefix=settings.prefix)
    found = [
        _add_source(builder, path, name, settings, tell) for path, name in zip(paths, formats, strict=True)
    ]
    found += [
        _add_mentions(builder, corpus, split, settings, tell)
        for corpus in settings.mentions
        for split in settings.splits
    ]
    return builder.write(folder, found, name=settings.name, labels=settings.serves)


def _add_source(
    builder: IndexBuilder, path: Path, name: str, settings: BuildSettings, tell: Callable[[str], None]
) -> Source:
    """Read one source into a builder."""
    log = ReadLog(settings.most_bad)
    number = builder.begin_source()
    came = builder.add_all(read_names(path, name, settings.read, log), number)
    tell(f"{path}: {came:,} names, {log.bad:,} bad lines of {log.lines:,}")
    for line in log.shown:
        tell(f"  bad: {line}")
    digest = hashlib.sha256("".join(digest_of(file) for file in dict.fromkeys(log.files)).encode())
    return Source(path.name, name, digest.hexdigest(), came, log.bad, settings.licence)


def _add_mentions(
    builder: IndexBuilder, corpus: str, split: str, settings: BuildSettings, tell: Callable[[str], None]
) -> Source:
    """Add the annotated mentions of a corpus; as names they stand beside those of the first source."""
    came = builder.add_all(mention_names(load_split(corpus, split), settings.labels))
    tell(f"{corpus} ({split}): {came:,} names of annotated mentions")
    place = split_path(corpus, split)
    read = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    digest = hashlib.sha256("".join(digest_of(file) for file in read).encode()).hexdigest()
    entry = known_entry(corpus)
    licence = entry.licence if entry else UNKNOWN_LICENCE
    return Source(
        f"{files.bare_name(Path(corpus).name, last_only=False)} ({split})",
        "mentions",
        digest,
        came,
        0,
        licence,
    )

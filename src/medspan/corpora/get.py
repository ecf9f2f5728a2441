"""Fetches a public corpus from its repository, pinned to a commit, and converts it; only when asked to."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from medspan.corpora.catalogue import Corpus, damaged_files, find_entry
from medspan.corpora.convert import SOURCES, convert
from medspan.corpora.places import user_corpora_dir
from medspan.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TIMEOUT_SECONDS = 60
_LARGEST_BYTES = (
    64 * 1024 * 1024
)  # the largest source file has 4 MB: a longer answer is not the file asked for
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class CannotGetError(DataError):
    """The corpus is in the catalogue, but medspan does not convert it."""


def get(
    name: str, root: Path | None = None, *, base: str | None = None, tell: Callable[[str], None] | None = None
) -> Path:
    """Fetch a corpus and write it to ``root/group/name``; the folder.

    Proxies are taken from the environment (``https_proxy``). Nothing is written unless every file has the
    digest of the catalogue. A corpus that is there and whole is left alone.

    Args:
        name: a corpus of ``SOURCES``, by full or bare name.
        root: the folder of corpora; ``places.user_corpora_dir()`` by default.
        base: takes the place of ``https://raw.githubusercontent.com/REPOSITORY/COMMIT``: an https address (or
            http of this machine), or a folder that holds a copy of the repository.
        tell: called with a line of progress.

    Raises:
        CannotGetError: if medspan has no converter for it; the message says where to fetch it.
        DataError: if the name is unknown, the address cannot be read, or a digest is wrong.
    """
    tell = tell or (lambda _: None)
    name = f"ner/{name}" if f"ner/{name}" in SOURCES else name
    corpus = find_entry(name)
    if corpus.name not in SOURCES:
        raise CannotGetError(_how_to_get(corpus))
    root = root or user_corpora_dir()
    folder = root / corpus.name
    if not damaged_files(corpus, root):
        tell(f"{corpus.name} is already in {folder}")
        return folder
    files = _fetch_and_convert(corpus, base, tell)
    _check(corpus, files)
    _write(folder, files)
    tell(f"{corpus.name}: {len(files)} files in {folder}; licence: {corpus.licence}")
    return folder


def source_address(corpus: Corpus, stem: str, base: str | None = None) -> str:
    """The pinned address of the source file of one split."""
    source = SOURCES[corpus.name]
    commit = corpus.source[source.repository]
    start = base.rstrip("/") if base else f"https://raw.githubusercontent.com/{source.repository}/{commit}"
    return f"{start}/{source.files[stem]}"


def _how_to_get(corpus: Corpus) -> str:
    return (
        f"medspan does not convert {corpus.name} itself. Licence: {corpus.licence}. Source: "
        f"{', '.join(corpus.addresses)}. Format here: {corpus.format}. Put its files under "
        f"{user_corpora_dir() / corpus.name}, or set MEDSPAN_DATA to a folder that holds {corpus.name}"
    )


def _fetch_and_convert(corpus: Corpus, base: str | None, tell: Callable[[str], None]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for stem in SOURCES[corpus.name].files:
        address = source_address(corpus, stem, base)
        tell(address)
        files |= convert(corpus.name, stem, _read(address, corpus))
    return files


def _read(address: str, corpus: Corpus) -> bytes:
    url = urllib.parse.urlsplit(address)
    # One letter is a Windows drive, not a scheme.
    if len(url.scheme) < len("xx"):
        return _read_file(Path(address))
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _THIS_MACHINE):
        raise UsageError(
            f"{address}: only https addresses are fetched; or name a folder with a copy of the files"
        )
    return _download(address, corpus)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); the folder must hold the repository"
        ) from None


def _download(address: str, corpus: Corpus) -> bytes:
    request = urllib.request.Request(address, headers={"User-Agent": "medspan"})  # noqa: S310 - the caller checked the scheme
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
            content: bytes = answer.read(_LARGEST_BYTES + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        status = f"{error.code} " if isinstance(error, urllib.error.HTTPError) else ""
        raise DataError(
            f"{address}: cannot be fetched ({status}{reason}). On a machine without network: copy the "
            f"repository by hand and use --from FOLDER, or copy {corpus.name} from another machine and set "
            "MEDSPAN_DATA to the folder above it"
        ) from None
    if len(content) > _LARGEST_BYTES:
        raise DataError(f"{address}: longer than {_LARGEST_BYTES} bytes, which no file of this corpus is")
    return content


def _check(corpus: Corpus, files: Mapping[str, bytes]) -> None:
    """Compare digests; of a packed file the digest of its content will do, since builds of zlib differ."""
    for known in corpus.files:
        name = Path(known.path).name
        content = files.get(name)
        if content is None:
            raise DataError(f"{known.path}: the converter made no such file; please report this")
        if hashlib.sha256(content).hexdigest() == known.sha256:
            continue
        unpacked = gzip.decompress(content) if name.endswith(".gz") else content
        if hashlib.sha256(unpacked).hexdigest() != known.unpacked_sha256:
            raise DataError(
                f"{known.path}: wrong digest; the source was changed or damaged, nothing is written"
            )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files to a folder beside, then move: a half-written corpus is never seen."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, content in files.items():
            (staging / name).write_bytes(content)
        staging.chmod(0o755)
        if not folder.exists():
            staging.replace(folder)
            return
        for name in files:
            os.replace(staging / name, folder / name)  # noqa: PTH105 - replaces on Windows as well
    finally:
        shutil.rmtree(staging, ignore_errors=True)

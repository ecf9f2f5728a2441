"""Keys of those who may use the service: a file with a name and a digest a line.

A key is 256 random bits, so a plain SHA-256 of it cannot be turned back; a slow hash, which guards passwords
that people choose, would only slow each request.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from typing import TYPE_CHECKING

from medspan.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_HEAD = "# Keys of medspan serve: a name and the SHA-256 of a key a line. Delete a line to take a key back.\n"
_PREFIX = "msk_"


class Keys:
    """Who may use the service.

    Args:
        digests: SHA-256 of each key → its name.
    """

    def __init__(self, digests: dict[str, str]) -> None:
        self._digests = digests

    def name_of(self, key: str) -> str | None:
        """Whose key it is; None where nobody's. The time it takes does not depend on the key."""
        given = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
        found = None
        for digest, name in self._digests.items():
            if hmac.compare_digest(digest, given):
                found = name
        return found


class KeyFile:
    """The keys of a file as it stands: one that is added or taken back counts from the next request on.

    Lines that are wrong by then cost the others nothing; a file that is gone lets nobody in.

    Args:
        path: of `medspan serve --add-key`.
        told: gets what is wrong with the file, once for each time that it changes.

    Raises:
        MedspanError: as `read_keys` does.
    """

    def __init__(self, path: Path, told: Callable[[str], None]) -> None:
        self._path, self._told = path, told
        self._state = self._state_now()
        self._keys = read_keys(path)

    def name_of(self, key: str) -> str | None:
        """Whose key it is; None where nobody's."""
        state = self._state_now()
        if state != self._state:
            self._state, self._keys = state, Keys(self._read_again())
        return self._keys.name_of(key)

    def _read_again(self) -> dict[str, str]:
        try:
            digests, wrong = _digests_of(self._path)
        except UsageError as error:
            digests, wrong = {}, [str(error)]
        for each in wrong:
            self._told(each)
        return digests

    def _state_now(self) -> tuple[int, ...]:
        """What changes whenever the file does; editors and clusters put another file in its place."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)


def read_keys(path: Path) -> Keys:
    """The keys of a file.

    Raises:
        ConfigError: naming the line, if the file is not of this form or holds no key.
        UsageError: if it cannot be read.
    """
    digests, wrong = _digests_of(path)
    if wrong:
        raise ConfigError(wrong[0])
    if not digests:
        raise ConfigError(f"{path}: holds no key; add one with medspan serve --keys {path} --add-key NAME")
    return Keys(digests)


def _digests_of(path: Path) -> tuple[dict[str, str], list[str]]:
    """SHA-256 of each key → its name, and what is wrong with the other lines."""
    digests: dict[str, str] = {}
    wrong: list[str] = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, digest = line.strip().partition(" ")
        if _NAME.fullmatch(name) and _DIGEST.fullmatch(digest.strip()):
            digests[digest.strip()] = name
        else:
            wrong.append(
                f"{path}:{number}: not a name and a SHA-256; "
                f"make lines with medspan serve --keys {path} --add-key NAME"
            )
    return digests, wrong


def add_key(path: Path, name: str) -> str:
    """Make a key, add its digest to the file, and return it: it stands nowhere else.

    Raises:
        UsageError: if the name is none or taken, or the file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"--add-key {name!r}: a name has letters, digits, '.', '_' and '-', 64 at most")
    text = _text(path) if path.exists() else ""
    lines, is_cut = text.splitlines(), bool(text) and not text.endswith("\n")
    if any(line.partition(" ")[0] == name for line in lines):
        raise UsageError(f"{path}: has a key for {name!r} already; choose another name or delete its line")
    key = _PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8") as file:
            file.write(("" if lines else _HEAD) + ("\n" if is_cut else "") + f"{name} {digest}\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name a file that can be written") from None
    return key


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise UsageError(f"{path}: {problem}; name a file of medspan serve --add-key") from None

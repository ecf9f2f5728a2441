"""Originals in an encrypted file, so that who has the passphrase can put them back exactly.

    magic line · header line (JSON: scrypt's n, r, p, salt; the nonces' first 8 bytes) · chunks

A chunk is its length (4 bytes, big-endian) and the AES-256-GCM ciphertext of some lines of JSON, one a
document. Its nonce is the header's 8 bytes and the chunk's number; the header, the number and whether it is
the last chunk are authenticated with it, so that a chunk that is changed, moved or cut off is noticed. The
key comes from the passphrase by scrypt (RFC 7914); nothing is ever on the disk unencrypted.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import IO, TYPE_CHECKING, Any, Self

import msgspec

from medspan.errors import DataError, MissingExtraError, UsageError
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from medspan.tasks.deid.annotator import Result

MAGIC = b"medspan vault 1\n"
SHORTEST_PASSPHRASE = 8
_CHUNK_BYTES = 1 << 16
_LENGTH_BYTES, _COUNTER_BYTES = 4, 4
_N, _R, _P = 1 << 15, 8, 1  # 32 MB and about a tenth of a second for each try
_MOST_HEADER, _MOST_CHUNK = 1000, 1 << 28


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    n: int
    r: int
    p: int
    salt: str
    nonce: str


class Row(msgspec.Struct, frozen=True):
    """A document: its new id, the digest of its new text, its old id, and what stands for what.

    ``originals`` are (start, end, original) with offsets into the new text, ascending.
    """

    id: str
    sha256: str
    old_id: str
    originals: tuple[tuple[int, int, str], ...]


class VaultWriter:
    """Writes a vault; use it in a ``with``: the file is there whole, or not at all.

    Args:
        path: of the file; it must not be there yet.
        passphrase: at least eight characters.

    Raises:
        UsageError: if the file is there, cannot be written, or the passphrase is too short.
        MissingExtraError: if cryptography is not installed.
    """

    def __init__(self, path: Path, passphrase: str) -> None:
        if path.exists():
            raise UsageError(f"{path}: is there already; a vault is never written over, name another file")
        if len(passphrase) < SHORTEST_PASSPHRASE:
            raise UsageError(f"the passphrase of a vault has at least {SHORTEST_PASSPHRASE} characters")
        self._path = path
        self._part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        header = _Header(_N, _R, _P, secrets.token_hex(16), secrets.token_hex(8))
        self._line = msgspec.json.encode(header) + b"\n"
        self._cipher = _Cipher(header, self._line, passphrase)
        self._held: list[bytes] = []
        self._size = self._number = 0
        self._handle: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise UsageError(f"{self._path}: {error.strerror}") from None
        self._handle = os.fdopen(descriptor, "wb")
        self._handle.write(MAGIC + self._line)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write(is_last=True)
        if self._handle:
            self._handle.close()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)

    def add(self, result: Result) -> None:
        """Keep the originals of a document."""
        document = result.document
        originals = tuple((each.start, each.end, each.text) for each in result.originals)
        row = Row(document.id, digest_of(document.text), result.id, originals)
        self._held.append(msgspec.json.encode(row) + b"\n")
        self._size += len(self._held[-1])
        if self._size >= _CHUNK_BYTES:
            self._write(is_last=False)

    def _write(self, *, is_last: bool) -> None:
        data = self._cipher.encrypt(b"".join(self._held), self._number, is_last=is_last)
        if self._handle:
            self._handle.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
        self._held, self._size, self._number = [], 0, self._number + 1


class Vault:
    """An open vault, all of it in memory.

    Args:
        path: the file.
        passphrase: the one it was written with.

    Raises:
        DataError: if it is no vault, was changed or cut off, or the passphrase is wrong.
        MissingExtraError: if cryptography is not installed.
    """

    def __init__(self, path: Path, passphrase: str) -> None:
        self._path = path
        with path.open("rb") as handle:
            self._rows = {(row.id, row.sha256): row for row in self._read(handle, passphrase)}

    def __len__(self) -> int:
        return len(self._rows)

    def restore(self, document: Document) -> Document:
        """The document as it was: its id and its text, without annotations.

        Raises:
            DataError: if the vault has no such document, or its text was changed.
        """
        row = self._rows.get((document.id, digest_of(document.text)))
        if row is None:
            raise DataError(
                f"{self._path}: has no document {document.id!r} with this text; was it changed afterwards?"
            )
        pieces, place = [], 0
        for start, end, original in row.originals:
            pieces += [document.text[place:start], original]
            place = end
        return Document(row.old_id, "".join([*pieces, document.text[place:]]))

    def _read(self, handle: IO[bytes], passphrase: str) -> Iterator[Row]:
        if handle.read(len(MAGIC)) != MAGIC:
            raise self._damaged("is no vault of medspan")
        line = handle.readline(_MOST_HEADER)
        try:
            header = msgspec.json.decode(line, type=_Header)
        except msgspec.DecodeError:
            raise self._damaged("its header is damaged") from None
        if (header.n, header.r, header.p) != (_N, _R, _P):
            raise self._damaged("was written with another cost of scrypt")
        yield from self._chunks(handle, _Cipher(header, line, passphrase))

    def _chunks(self, handle: IO[bytes], cipher: _Cipher) -> Iterator[Row]:
        number, data = 0, _chunk(handle)
        while data is not None:
            following = _chunk(handle)
            plain = cipher.decrypt(data, number, is_last=following is None)
            if plain is None:
                raise self._damaged("the passphrase is wrong, or the file was changed or cut off")
            for line in plain.splitlines():
                yield msgspec.json.decode(line, type=Row)
            number, data = number + 1, following
        if number == 0:
            raise self._damaged("was cut off")

    def _damaged(self, problem: str) -> DataError:
        return DataError(f"{self._path}: {problem}; nothing was restored")


class _Cipher:
    """AES-256-GCM with the key of a passphrase."""

    def __init__(self, header: _Header, line: bytes, passphrase: str) -> None:
        try:
            from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("a vault", "cryptography", "deid") from None
        memory = 256 * header.n * header.r
        key = hashlib.scrypt(
            passphrase.encode(),
            salt=bytes.fromhex(header.salt),
            n=header.n,
            r=header.r,
            p=header.p,
            maxmem=memory,
            dklen=32,
        )
        self._invalid: type[Exception] = InvalidTag
        self._aes: Any = AESGCM(key)
        self._nonce, self._line = bytes.fromhex(header.nonce), line

    def encrypt(self, data: bytes, number: int, *, is_last: bool) -> bytes:
        found: bytes = self._aes.encrypt(self._nonce_of(number), data, self._bound(number, is_last=is_last))
        return found

    def decrypt(self, data: bytes, number: int, *, is_last: bool) -> bytes | None:
        try:
            found: bytes = self._aes.decrypt(
                self._nonce_of(number), data, self._bound(number, is_last=is_last)
            )
        except self._invalid:
            return None
        return found

    def _nonce_of(self, number: int) -> bytes:
        return self._nonce + number.to_bytes(_COUNTER_BYTES, "big")

    def _bound(self, number: int, *, is_last: bool) -> bytes:
        return self._line + number.to_bytes(_COUNTER_BYTES, "big") + (b"last" if is_last else b"more")


def _chunk(handle: IO[bytes]) -> bytes | None:
    """The next chunk; None at the end; what was cut off in the middle comes as it is and fails its check."""
    length = handle.read(_LENGTH_BYTES)
    if not length:
        return None
    return handle.read(min(int.from_bytes(length, "big"), _MOST_CHUNK))


def digest_of(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

"""Keyed choices, and surrogates of numbers and addresses.

A choice is a function of a secret, a purpose and the original alone (HMAC-SHA-256), so it is the same in
every process, in any order, and nobody without the key can try originals out.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_EMAIL = re.compile(r"([^@]*)@.*", re.DOTALL)
_SCHEME = re.compile(r"(?:https?://|ftp://)?(?:www\.)?", re.IGNORECASE)
_TRIES = 100


class Secret:
    """A key and what may be derived from it.

    Args:
        key: at least one byte.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def derived(self, purpose: str) -> Secret:
        """A secret of its own for a patient, a document."""
        return Secret(self.digest(purpose, ""))

    def digest(self, purpose: str, value: str) -> bytes:
        """32 bytes of a value, for a purpose."""
        message = f"{purpose}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).digest()

    def number(self, purpose: str, value: str, below: int) -> int:
        """A number from 0."""
        return int.from_bytes(self.digest(purpose, value)[:16], "big") % below

    def choice(
        self, purpose: str, value: str, choices: Sequence[str], avoid: frozenset[str] = frozenset()
    ) -> str:
        """One of some words that is not among those to avoid (in lower case), where there is one."""
        start = self.number(purpose, value, len(choices))
        for step in range(len(choices)):
            found = choices[(start + step) % len(choices)]
            if found.lower() not in avoid:
                return found
        return choices[start]

    def scrambled(self, purpose: str, text: str) -> str:
        """Other digits and letters of the same form: same length, signs and case, and never the same text."""
        canonical = re.sub(r"\W", "", text).lower()
        for attempt in range(_TRIES):
            stream = _stream(self, f"{purpose}{attempt}", canonical)
            made = "".join(_other(character, stream) for character in text)
            if made != text:
                return made
        return text  # nothing in it is a digit or letter


class _stream:  # noqa: N801 - a cursor, private to this module
    """Bytes without end of a secret."""

    def __init__(self, secret: Secret, purpose: str, value: str) -> None:
        self._secret, self._purpose, self._value = secret, purpose, value
        self._block, self._held = 0, b""

    def next(self) -> int:
        """16 bits."""
        if not self._held:
            self._held = self._secret.digest(f"{self._purpose}/{self._block}", self._value)
            self._block += 1
        value, self._held = int.from_bytes(self._held[:2], "big"), self._held[2:]
        return value


def _other(character: str, stream: _stream) -> str:
    if character.isdigit():
        return str(stream.next() % 10)
    if not character.isalpha():
        return character
    letters = string.ascii_uppercase if character.isupper() else string.ascii_lowercase
    return letters[stream.next() % len(letters)]


def email(secret: Secret, text: str) -> str:
    """An address at example.org (RFC 2606) with a name of the same form."""
    found = _EMAIL.fullmatch(text)
    return f"{secret.scrambled('email', found[1] if found else text)}@example.org"


def url(secret: Secret, text: str) -> str:
    """An address at example.org with the same scheme."""
    scheme = _SCHEME.match(text)
    return f"{scheme[0] if scheme else ''}example.org/{secret.digest('url', text).hex()[:8]}"


def ip(secret: Secret, text: str) -> str:
    """An address of those for documentation (RFC 5737, RFC 3849)."""
    if ":" in text:
        return f"2001:db8::{secret.number('ip', text, 0xFFFF) + 1:x}"
    return f"192.0.2.{secret.number('ip', text, 254) + 1}"

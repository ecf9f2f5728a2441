"""De-identification in bulk: what a job and its workers need for it, and what rows and messages may tell.

Whoever gets the folder of such a job shall learn nothing of what was taken out. Ids and paths of what failed
are hashed with the key, reasons are of few known forms, and the digests of the input are sealed with the key:
who has a text with gaps could else try out what fills them until its digest fits.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medspan.errors import UsageError
from medspan.jobs.annotating import PLAIN, Annotating, Line, line_of, reason_of
from medspan.jobs.wire import DeidSetup, ErrorRow
from medspan.tasks.deid.annotator import COUNTS, Deidentifier
from medspan.tasks.deid.policy import Policy
from medspan.tasks.deid.surrogates import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.jobs.wire import PartRow
    from medspan.tasks.ner import EntityRecognizer
    from medspan.types import Document

_STANDARD = "<stdin>"
_KEY_DIGITS = 16
_SIZE_STEP = 1024

# Reasons that hold nothing of a document; of a longer one, what follows is left out.
_WHOLE = re.compile(
    r"[A-Za-z]+( at \w+\.py:\d+)?"
    r"|there is not enough memory for it"
    r"|it holds a number of more than 64 bits"
    r"|the text holds half of a surrogate pair; repair it where it was made"
    r"|its worker process (was ended by signal|ended with exit code) \d+"
)
_BEGIN = re.compile(
    r"not JSON\b|nested too deeply|the document is longer than [\d,]+ characters|byte \d+ is not UTF-8"
    r"|[\d,]+ malformed units in a row, the rest was not read"
    r"|a document's meta has no value '\w+', by which the policy tells patients apart"
)
_UNREADABLE = "it does not follow its format"
_FAILED = "it could not be de-identified"


class Deid:
    """The policy and the key of a job.

    Args:
        policy: what becomes of each label.
        key: the secret that all workers and every resumed run share.

    Raises:
        UsageError: if there is no key.
    """

    def __init__(self, policy: Policy, key: bytes | None) -> None:
        if not key:
            raise UsageError(
                "a job into a folder needs a key, on which its workers and a resumed run agree; make one by: "
                "openssl rand -hex 32 > KEY, keep it, and give it with --key-file KEY or MEDSPAN_DEID_KEY"
            )
        self.policy, self._key = policy, key
        self._secret = Secret(key)

    def setup(self, inputs: Sequence[str]) -> DeidSetup:
        """What a worker is told."""
        return DeidSetup(msgspec.msgpack.encode(self.policy), self._key, tuple(inputs))

    def policy_digest(self) -> str:
        """SHA-256 of the policy."""
        return hashlib.sha256(msgspec.json.encode(self.policy, order="sorted")).hexdigest()

    def key_digest(self) -> str:
        """Tells two keys apart, and nothing of either (HMAC-SHA-256 of a fixed text)."""
        return self._secret.digest("job", "key").hex()[:_KEY_DIGITS]

    def shown(self, inputs: Sequence[str]) -> tuple[str, ...]:
        """Names for the inputs, whose paths may tell: ``input 1`` ...; sealed digests tell them apart."""
        return tuple(f"input {number}" for number in range(1, len(inputs) + 1))

    def sealed(self, digest: str) -> str:
        """The digest of an input, that nobody without the key can compute (HMAC-SHA-256)."""
        return self._secret.digest("job/input", digest).hex()

    def row(self, row: PartRow) -> PartRow:
        """A part as the manifest keeps it; the exact size of the input would tell how long a name was."""
        size = -(-row.input_bytes // _SIZE_STEP) * _SIZE_STEP
        return msgspec.structs.replace(row, input=self.sealed(row.input), input_bytes=size)


def deidentifier_of(setup: DeidSetup, recognizer: EntityRecognizer | None) -> Deidentifier:
    """The de-identifier of a worker.

    Raises:
        UsageError: if the model finds labels that are not known.
    """
    policy = msgspec.msgpack.decode(setup.policy, type=Policy)
    return Deidentifier(policy, recognizer, key=setup.key)


def deidentifying(deidentifier: Deidentifier) -> Annotating:
    """Runs a de-identifier, with reasons and a plain document that suit it."""
    return Annotating(
        deidentifier,
        line=_line_of,
        reason=lambda error: told_reason(reason_of(error), _FAILED),
        plain=plain_for(deidentifier.policy),
    )


def plain_for(policy: Policy) -> Document:
    """A document that a policy passes: it names a patient where one must be named."""
    return PLAIN.replace(meta={policy.patient: "plain"}) if policy.patient else PLAIN


def _line_of(document: Document) -> Line:
    return line_of(document)._replace(changed=document.meta.get(COUNTS, {}))


def told_reason(reason: str, other: str) -> str:
    """A reason as it may be told; ``other`` in the place of one that may hold an id or a name."""
    if _WHOLE.fullmatch(reason):
        return reason
    found = _BEGIN.match(reason)
    return found[0] if found else other


class Telling:
    """Error rows without ids, paths and words of the input.

    Args:
        deidentifier: hashes ids.
        inputs: the paths the job was given; they are told by their number.
    """

    def __init__(self, deidentifier: Deidentifier, inputs: Sequence[str]) -> None:
        self._hashed = deidentifier.id_of_failed
        self._inputs = [Path(path) for path in inputs]

    def row(self, row: ErrorRow) -> ErrorRow:
        """A row as it may be told."""
        return msgspec.structs.replace(
            row,
            reason=told_reason(row.reason, _UNREADABLE if row.path else _FAILED),
            id=None if row.id is None else self._hashed(row.id),
            path=None if row.path is None else self._place(row.path),
        )

    def _place(self, path: str) -> str:
        """``input 2``; of a file in a folder, ``input 2, file deid-…``."""
        if path == _STANDARD:
            return path
        for number, given in enumerate(self._inputs, 1):
            if Path(path) == given:
                return f"input {number}"
            if Path(path).is_relative_to(given):
                return f"input {number}, file {self._hashed(Path(path).relative_to(given).as_posix())}"
        return f"file {self._hashed(path)}"

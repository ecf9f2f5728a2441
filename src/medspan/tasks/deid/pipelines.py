"""De-identification for `medspan.spark.annotate`: ``pipeline="medspan.tasks.deid.pipelines:redact"``.

Each function takes the recognizer Spark loaded and gives an annotator that fills the column
``text_deidentified``; the text itself and the offsets of ``entities`` stay as they were. The key of hashes,
surrogates and moved days is read from the environment (``MEDSPAN_DEID_KEY``), which must be the same on every
worker.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from medspan.errors import UsageError
from medspan.tasks.deid.annotator import Deidentifier
from medspan.tasks.deid.policy import load_policy

if TYPE_CHECKING:
    from medspan.tasks.ner import EntityRecognizer

KEY = "MEDSPAN_DEID_KEY"
SHORTEST_KEY = 16
_UNKEYED = frozenset({"redact", "mask", "generalise", "keep"})


def redact(recognizer: EntityRecognizer) -> Deidentifier:
    """The policy ``redact`` with a model that finds labels of de-identification."""
    return column_of("redact", recognizer)


def surrogate(recognizer: EntityRecognizer) -> Deidentifier:
    """The policy ``surrogate`` with such a model."""
    return column_of("surrogate", recognizer)


def redact_patterns(_recognizer: EntityRecognizer) -> Deidentifier:
    """The policy ``redact`` with patterns alone, whatever the model; misses most names without a title."""
    return column_of("redact", None)


def surrogate_patterns(_recognizer: EntityRecognizer) -> Deidentifier:
    """The policy ``surrogate`` with patterns alone."""
    return column_of("surrogate", None)


def column_of(policy: str, recognizer: EntityRecognizer | None) -> Deidentifier:
    """A `Deidentifier` that fills the column; ``policy`` is a name or the path of a file.

    Raises:
        UsageError: if the policy needs a key and the environment has none.
        ConfigError: if the policy is wrong.
    """
    loaded = load_policy(policy)
    key = key_from_environment()
    if key is None and set(loaded.labels.values()) - _UNKEYED:
        raise UsageError(
            f"policy {policy!r} writes hashes or surrogates; set {KEY} to the same secret on every worker"
        )
    return Deidentifier(loaded, recognizer, key=key, as_column=True)


def key_from_environment() -> bytes | None:
    """The key; None where there is none.

    Raises:
        UsageError: if it is too short to be one.
    """
    key = os.environ.get(KEY, "").encode()
    return checked_key(key, KEY) if key else None


def checked_key(key: bytes, where: str) -> bytes:
    """The key, if it is long enough.

    Raises:
        UsageError: naming where it comes from.
    """
    if len(key) < SHORTEST_KEY:
        raise UsageError(
            f"{where}: a key has at least {SHORTEST_KEY} bytes; make one by: openssl rand -hex 32"
        )
    return key

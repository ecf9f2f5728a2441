"""What a bulk job is asked to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from medspan.jobs.parts import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from medspan.jobs.deid import Deid  # noqa: TC004 - it is built, never decoded; --help stays quick

NO_MODEL = "none"
"""In the place of a model: patterns alone, where a job de-identifies."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to annotate, with what, and how to go about it.

    Args:
        inputs: files, folders or ``-``.
        read_as: their format, where names do not tell.
        text_column: column of a table of notes, or of a Parquet file, that holds the text.
        id_column: the one that holds the id; it need not be there.
        model: a model folder or the name of a shipped model; `NO_MODEL` only with ``deid``.
        types: labels to find; all where None.
        min_score: entities below this confidence are dropped.
        stages: what follows the entities, by the names of `medspan.tasks.stages`.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: threads of each process; one for a worker, all cores otherwise, where None.
        workers: worker processes; a core each where None.
        compress: ``gz`` or ``zst``; None for plain JSONL.
        limits: where parts end, and which documents are too long.
        is_resumed: go on with a job that was begun in the folder.
        stop_at_errors: stop at malformed input, which otherwise becomes an error row.
        deid: policy and key, where the documents are to be de-identified; no ``stages`` go with it.
    """

    inputs: tuple[str, ...]
    read_as: str | None = None
    text_column: str = "text"
    id_column: str = "id"
    model: str = "default"
    types: tuple[str, ...] | None = None
    min_score: float = 0.0
    stages: tuple[str, ...] = ()
    device: str = "auto"
    threads: int | None = None
    workers: int | None = None
    compress: Literal["gz", "zst"] | None = None
    limits: Limits = DEFAULT_LIMITS
    is_resumed: bool = False
    stop_at_errors: bool = False
    deid: Deid | None = None

"""How a service is set up."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import msgspec

from medspan.errors import UsageError

NO_DEID = "none"
"""In the place of a model that finds identifiers: patterns alone."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a request may be, and how much may wait.

    Args:
        body_bytes: of a request's body.
        documents: of a request in JSON; one in NDJSON has as many as its bytes hold.
        characters: of a document.
        seconds: for the answer of a request in JSON, and for each next line of one in NDJSON.
        waiting: documents in the queue before new requests get 429.
    """

    body_bytes: int = 16 * 2**20
    documents: int = 1000
    characters: int = 1_000_000
    seconds: float = 60.0
    waiting: int = 128


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What to serve, where and to whom.

    Args:
        models: names or folders; the first is what a request gets that names none.
        stages: what follows the entities, by the names of `medspan.tasks.stages`.
        host: address to listen at.
        port: 0 for a free one.
        workers: processes that annotate; a core each where None.
        deid_model: the model that finds identifiers; `NO_DEID` for patterns alone.
        policies: names or files, by which text is de-identified.
        deid_key: the secret of hashes, surrogates and moved days; a random one of this run where None.
        keys: a file of `medspan serve --add-key`.
        hosts: names by which the service may be called besides its address.
        project: a file of documents to annotate and learn from; made where it is not there.
        limits: see there.

    Raises:
        UsageError: if others could reach it and no keys are asked for.
    """

    models: tuple[str, ...] = ("default",)
    stages: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int | None = None
    deid_model: str = "deid"
    policies: tuple[str, ...] = ("redact", "surrogate")
    deid_key: bytes | None = None
    keys: Path | None = None
    hosts: tuple[str, ...] = ()
    project: Path | None = None
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not self.is_local and self.keys is None:
            raise UsageError(
                f"--host {self.host}: others could reach it, so it needs keys: make one with "
                "medspan serve --keys FILE --add-key NAME, then give --keys FILE"
            )

    def __repr__(self) -> str:
        """Without the key."""
        return f"Settings({self.host}:{self.port})"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

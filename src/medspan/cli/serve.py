"""The verb ``serve``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from medspan.cli.annotate import names
from medspan.errors import MissingExtraError, UsageError

Models = Annotated[
    list[str] | None,
    typer.Option(metavar="MODEL", help="A model folder or name; may be repeated. The first is the default."),
]
Stages = Annotated[
    str | None,
    typer.Option(
        "--pipeline",
        "--stages",  # as medspan annotate calls it
        metavar="A,B",
        help="What is added to entities: sections, assertion, relations, codes=INDEX.",
    ),
]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen at.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for a free one.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; one a core otherwise.")]
KeysFile = Annotated[
    Path | None, typer.Option("--keys", metavar="FILE", help="Only those with a key of this file may ask.")
]
NewKey = Annotated[
    str | None,
    typer.Option("--add-key", metavar="NAME", help="Make a key, write its digest to --keys, print it, end."),
]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--allow-host", metavar="NAME", help="A name by which it may be called; may be repeated."),
]
DeidModel = Annotated[
    str, typer.Option(metavar="MODEL", help="A model that finds identifiers; none: patterns alone.")
]
Policies = Annotated[
    list[str] | None,
    typer.Option("--policy", metavar="FILE", help="A policy of deid, by name or file; may be repeated."),
]
Secret = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="FILE", help="Secret of surrogates; else MEDSPAN_DEID_KEY, or random."
    ),
]
ProjectFile = Annotated[
    Path | None,
    typer.Option(
        "--project", metavar="FILE", help="A project (NAME.medspan) to annotate in; made if absent."
    ),
]
BodyMb = Annotated[int, typer.Option(min=1, help="Megabytes of the largest body of a request.")]
MostDocuments = Annotated[int, typer.Option(min=1, help="Documents of a JSON request.")]
MostCharacters = Annotated[int, typer.Option(min=1, help="Characters of a document.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds for an answer.")]
Waiting = Annotated[int, typer.Option("--queue", min=1, help="Documents that may wait; more get 429.")]


def serve(  # noqa: PLR0917 - options of a verb
    model: Models = None,
    pipeline: Stages = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    workers: Workers = None,
    keys: KeysFile = None,
    add_key: NewKey = None,
    allow_host: Hosts = None,
    deid_model: DeidModel = "deid",
    policy: Policies = None,
    key_file: Secret = None,
    project: ProjectFile = None,
    max_body_mb: BodyMb = 16,
    max_documents: MostDocuments = 1000,
    max_document_chars: MostCharacters = 1_000_000,
    timeout: Timeout = 60.0,
    queue: Waiting = 128,
) -> None:
    """Serve models over HTTP, and a page to look and correct on.

    One process, worker processes beside it; no text is kept or logged. Only this machine can reach it, unless
    --host says otherwise, which needs --keys.
    """
    if add_key is not None:
        _add_key(keys, add_key)
        return
    for package in ("starlette", "uvicorn", "prometheus_client"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError("serving", package, "serve")
    from medspan.cli.deid import key_of  # noqa: PLC0415 - --help stays quick
    from medspan.serve.server import run  # noqa: PLC0415 - as above
    from medspan.serve.settings import Limits, Settings  # noqa: PLC0415 - as above

    run(
        Settings(
            models=tuple(model or ("default",)),
            stages=names(pipeline),
            host=host,
            port=port,
            workers=workers,
            deid_model=deid_model,
            policies=tuple(policy or ("redact", "surrogate")),
            deid_key=key_of(key_file),
            keys=keys,
            hosts=tuple(allow_host or ()),
            project=project,
            limits=Limits(
                body_bytes=max_body_mb * 2**20,
                documents=max_documents,
                characters=max_document_chars,
                seconds=timeout,
                waiting=queue,
            ),
        )
    )


def _add_key(keys: Path | None, name: str) -> None:
    from medspan.serve.keys import add_key  # noqa: PLC0415 - --help stays quick

    if keys is None:
        raise UsageError("--add-key needs a file to write to: --keys FILE")
    typer.echo(add_key(keys, name))

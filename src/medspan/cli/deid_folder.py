"""The verb ``deid`` into a folder: the job, its sums and its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import typer

from medspan import formats
from medspan.cli import bulk
from medspan.errors import UsageError
from medspan.formats import files
from medspan.jobs.output import SUFFIXES
from medspan.jobs.parts import errors_name, part_name
from medspan.jobs.wire import ErrorRow

if TYPE_CHECKING:
    from medspan.jobs.manifest import Totals
    from medspan.jobs.request import Request
    from medspan.tasks.deid.policy import Policy


class Asked(NamedTuple):
    """What the command was given beside the request; ``key`` is what the file, or the environment, holds."""

    policy: str
    key: bytes | None
    key_file: Path | None
    vault: Path | None
    report: Path | None


def run(request: Request, output: str, asked: Asked) -> None:
    """De-identify into a folder of parts, or go on with it; exits as `bulk.run` does.

    Raises:
        UsageError: if there is no key, or something is asked for that is not for folders.
    """
    from medspan.jobs.deid import Deid  # noqa: PLC0415 - --help stays quick
    from medspan.tasks.deid.policy import load_policy  # noqa: PLC0415 - as above

    if asked.vault:
        raise UsageError("--vault: a vault is written by one process; name a file with -o, or leave it out")
    if asked.report and not asked.report.absolute().parent.is_dir():
        raise UsageError(f"--report {asked.report}: there is no such folder; make it first")
    policy = load_policy(asked.policy)

    def end(totals: Totals) -> None:
        changed = totals.changed or {}
        typer.echo(f"changed: {shown(changed)}", err=True)
        if asked.report:
            _report(request, Path(output), totals.parts, policy, asked.report)

    verb = bulk.Verb("deid", "de-identified", _options(request, asked), end)
    bulk.run(msgspec.structs.replace(request, deid=Deid(policy, asked.key)), output, verb)


def shown(changed: dict[str, int]) -> str:
    """``DATE 3, NAME 1,204``."""
    return ", ".join(f"{label} {count:,}" for label, count in sorted(changed.items())) or "nothing"


def _options(request: Request, asked: Asked) -> dict[str, object | None]:
    return {
        "--model": request.model,
        "--policy": asked.policy,
        "--key-file": asked.key_file,
        "--report": asked.report,
    }


def _report(request: Request, folder: Path, parts: int, policy: Policy, path: Path) -> None:
    """Write what was changed, by the parts: their documents and error rows hold it."""
    from medspan.tasks.deid.report import ChangeReport  # noqa: PLC0415 - --help stays quick

    with files.writing(path) as handle:
        changes = ChangeReport(policy, handle.write)
        for number in range(parts):
            for document in formats.read(folder / part_name(number, SUFFIXES[request.compress])):
                changes.add(document)
            for row in _error_rows(folder / errors_name(number)):
                changes.fail(row.id or f"{row.path}:{row.line}", row.reason)
        changes.close()


def _error_rows(path: Path) -> list[ErrorRow]:
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=ErrorRow) for line in path.read_bytes().splitlines()]

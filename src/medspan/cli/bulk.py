"""A bulk job on the command line: progress, the summary, and how to resume it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import typer

from medspan.cli.progress import Progress
from medspan.errors import MedspanError, UsageError

if TYPE_CHECKING:
    from medspan.jobs.job import Outcome
    from medspan.jobs.manifest import Totals
    from medspan.jobs.request import Request

STOPPED = 130


def _nothing(_totals: Totals) -> None: ...


class Verb(NamedTuple):
    """The verb that a job is of.

    Args:
        name: of the command.
        done: what became of a document.
        options: options of its own, for the command that goes on; None for what is not given.
        at_end: called when all parts are done, also where there are error rows.
    """

    name: str
    done: str
    options: Mapping[str, object | None] = MappingProxyType({})
    at_end: Callable[[Totals], None] = _nothing


ANNOTATE = Verb("annotate", "annotated")


def is_folder(output: str | None) -> bool:
    """Whether an output is meant to be a folder: it ends with a slash, or one is there."""
    if output is None:
        return False
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def refuse_slash(output: str | None, name: str) -> None:
    """Refuse a folder (OUT/) for a format that is one file; JSONL alone comes in parts.

    Raises:
        UsageError: saying what to name instead.
    """
    from medspan.formats.handout import FOLDERS  # noqa: PLC0415 - --help stays quick

    if output is not None and output.endswith(("/", os.sep)) and name not in FOLDERS:
        raise UsageError(
            f"{output}: {name} writes one file; name a file, or leave --format out: the folder then gets "
            "JSONL in parts, which medspan convert reads"
        )


def refuse_options(request: Request, *, with_workers: bool = False) -> None:
    """Refuse options that are for a folder alone where the output is none.

    Args:
        request: what was asked for.
        with_workers: whether ``--workers`` is one of them.

    Raises:
        UsageError: naming the option.
    """
    plain = type(request)(inputs=())
    given = {
        "--resume": request.is_resumed,
        "--compress": request.compress is not None,
        "--part-documents": request.limits.documents != plain.limits.documents,
        "--max-document-chars": request.limits.document_characters != plain.limits.document_characters,
        "--workers": with_workers and request.workers is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise UsageError(f"{name} is for JSONL in parts; name a folder for it: -o OUT/")


def run(request: Request, output: str, verb: Verb = ANNOTATE) -> None:
    """Run a job into a folder, or go on with one; exits with 1 after error rows, with 130 where stopped."""
    from medspan.jobs.job import run_job  # noqa: PLC0415 - only bulk jobs need it
    from medspan.jobs.manifest import MANIFEST  # noqa: PLC0415 - as above
    from medspan.jobs.sources import check_paths, total_bytes  # noqa: PLC0415 - as above
    from medspan.jobs.stop import Stop  # noqa: PLC0415 - as above

    check_paths(request.inputs, Path(output))
    command = resume_command(request, output, verb)
    with Progress(total_bytes(request.inputs)) as progress:
        stop = Stop(
            lambda: _say("stopping: the current parts are finished first; press again to stop at once")
        )
        try:
            with stop.listening():
                outcome = run_job(request, Path(output), progress, stop)
        except UsageError:
            raise
        except (MedspanError, OSError) as error:
            _say(f"medspan: {error}")
            if (Path(output) / MANIFEST).exists():
                _say(f"once that is mended, go on with: {command}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            _say(f"stopped; go on with: {command}")
            raise typer.Exit(STOPPED) from None
    _summarize(outcome, progress, output)
    if outcome.is_stopped:
        _say(f"stopped; go on with: {command}")
        raise typer.Exit(STOPPED)
    verb.at_end(outcome.totals)
    if outcome.totals.errors:
        _say(f"not {verb.done}: {outcome.totals.errors:,}, listed in {Path(output) / 'part-*.errors.jsonl'}")
        raise typer.Exit(1)


def _summarize(outcome: Outcome, progress: Progress, output: str) -> None:
    sums = outcome.totals
    _say(
        f"{sums.documents:,} documents, {sums.entities:,} entities, {sums.errors:,} errors in {output}, "
        f"{progress.seconds:,.1f} seconds, {progress.speed:,} characters/s"
    )


def _say(text: str) -> None:
    typer.echo(text, err=True)


def resume_command(request: Request, output: str, verb: Verb = ANNOTATE) -> str:
    """The command line that goes on with a job."""
    plain = type(request)(inputs=())
    options = {
        "--from": (request.read_as, plain.read_as),
        "--text-column": (request.text_column, plain.text_column),
        "--id-column": (request.id_column, plain.id_column),
        "--model": (request.model, plain.model),
        "--types": (",".join(request.types or ()) or None, None),
        "--min-score": (request.min_score, plain.min_score),
        "--stages": (",".join(request.stages) or None, None),
        "--device": (request.device, plain.device),
        "--threads": (request.threads, plain.threads),
        "--workers": (request.workers, plain.workers),
        "--compress": (request.compress, plain.compress),
        "--part-documents": (request.limits.documents, plain.limits.documents),
        "--max-document-chars": (request.limits.document_characters, plain.limits.document_characters),
        "--on-error": ("stop" if request.stop_at_errors else None, None),
        **{name: (value, None) for name, value in verb.options.items()},
    }
    words = ["medspan", verb.name, *request.inputs, "-o", output]
    for name, (value, default) in options.items():
        words += [name, str(value)] if value != default else []
    return shlex.join([*words, "--resume"])

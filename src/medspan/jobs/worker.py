"""The child process of a job: annotates what it is sent and answers; `python -m medspan.jobs.worker`.

Its standard output holds messages only; whatever else writes there goes to standard error. It does not listen
to Ctrl-C (its parent decides) and ends at once when its parent is gone.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, TYPE_CHECKING, Protocol, cast

import msgspec

from medspan import pipeline
from medspan.errors import MedspanError, UsageError
from medspan.jobs.annotating import Annotating, reason_of, sums
from medspan.jobs.output import new_file
from medspan.jobs.parts import errors_name, part_name
from medspan.jobs.wire import (
    Done,
    ErrorRow,
    Failed,
    Found,
    PartRow,
    Ready,
    Reply,
    Request,
    Setup,
    Task,
    receive_request,
    send,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from medspan.model.session import Device
    from medspan.tasks.ner import EntityRecognizer

_ENCODER = msgspec.msgpack.Encoder()
_JSON = msgspec.json.Encoder()


class Doer(Protocol):
    """What answers tasks in a worker process."""

    def do(self, task: Task) -> Done | Found:
        """Do what a task asks.

        Raises:
            MedspanError: if no other worker could do it either.
        """
        ...


class Worker:
    """A loaded model and where its parts go.

    Raises:
        MedspanError: if the model cannot be loaded.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._told: Callable[[ErrorRow], ErrorRow] = _same_row
        if setup.deid is None:
            self._annotating = Annotating(pipeline.with_stages(_recognizer(setup), setup.stages))
        else:
            from medspan.jobs.deid import Telling, deidentifier_of, deidentifying  # noqa: PLC0415 - few jobs need it

            deidentifier = deidentifier_of(setup.deid, _recognizer(setup) if setup.model else None)
            self._annotating = deidentifying(deidentifier)
            self._told = Telling(deidentifier, setup.deid.inputs).row

    def do(self, task: Task) -> Done | Found:
        """Do what a task asks."""
        return Done(self._write(task)) if task.goal == "part" else self._found(task)

    def _found(self, task: Task) -> Found:
        if task.goal == "documents":
            found, errors = self._annotating.documents(task)
            return Found(_ENCODER.encode(found), self._merged(task, errors))
        lines, errors = self._annotating.lines(task)
        data = b"" if task.goal == "probe" else b"".join(line.data for line in lines)
        return Found(data, self._merged(task, errors))

    def _write(self, task: Task) -> PartRow:
        """Write the error rows, then the part; the part's file says that both are there."""
        folder = Path(self._setup.folder or "")
        path = folder / part_name(task.part, self._setup.suffix)
        lines, found_errors = self._annotating.lines(task)
        errors = self._merged(task, found_errors)
        errors_sha256 = write_errors(folder / errors_name(task.part), errors)
        with new_file(path) as file:
            for line in lines:
                file.write(line.data)
        return PartRow(
            part=task.part,
            file=path.name,
            sha256=file.stored.sha256,
            bytes=file.stored.size,
            documents=len(lines),
            characters=sum(line.characters for line in lines),
            entities=sum(line.entities for line in lines),
            input=task.digest,
            input_bytes=sum(map(len, task.documents)),
            errors=len(errors),
            errors_file=errors_name(task.part) if errors else None,
            errors_sha256=errors_sha256,
            changed=sums(line.changed for line in lines),
        )

    def _merged(self, task: Task, errors: list[ErrorRow]) -> list[ErrorRow]:
        """Rows that were known before and new ones, in the order of the input."""
        return sorted(map(self._told, (*task.errors, *errors)), key=lambda row: row.place)


def _recognizer(setup: Setup) -> EntityRecognizer:
    return pipeline.load(
        setup.model,
        device=cast("Device", setup.device),  # load checks it
        threads=setup.threads,
        batch_words=setup.batch_words,
        labels=setup.labels,
        min_score=setup.min_score,
    )


def _same_row(row: ErrorRow) -> ErrorRow:
    return row


def write_errors(path: Path, errors: list[ErrorRow]) -> str | None:
    """Write the rows of a part's bad units and return their digest; no file where there are none."""
    if not errors:
        path.unlink(missing_ok=True)  # an earlier, killed attempt may have had some
        return None
    with new_file(path) as file:
        for row in errors:
            file.write(_JSON.encode(row) + b"\n")
    return file.stored.sha256


def main(make: Callable[[Setup], Doer] = Worker) -> None:
    """Answer requests until standard input ends.

    Args:
        make: from the first message to what does the tasks.
    """
    for name in ("SIGINT", "SIGTERM", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    source, sink = _claim_standard_streams()
    inbox: SimpleQueue[Request] = SimpleQueue()
    Thread(target=_listen, args=(source, inbox), daemon=True).start()
    setup = inbox.get()
    with suppress(BrokenPipeError):
        if isinstance(setup, Setup):
            _serve(setup, inbox, sink, make)


def _serve(setup: Setup, inbox: SimpleQueue[Request], sink: IO[bytes], make: Callable[[Setup], Doer]) -> None:
    try:
        worker = make(setup)
    except MedspanError as error:
        send(sink, Failed(str(error), isinstance(error, UsageError)))
        return
    send(sink, Ready())
    while True:
        request = inbox.get()
        if isinstance(request, Task):
            send(sink, _answer(worker, request))


def _answer(worker: Doer, task: Task) -> Reply:
    """What a worker makes of a task; what no other could do either is a `Failed`."""
    try:
        return worker.do(task)
    except MedspanError as error:
        return Failed(str(error), isinstance(error, UsageError))
    except Exception as error:  # noqa: BLE001 - a bug of ours; a traceback might show document text
        return Failed(f"part {task.part}: {reason_of(error)}; this is a bug in medspan, please report it")


def _claim_standard_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Standard input and output for messages; what others write to standard output goes to standard error."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, sink


def _listen(source: IO[bytes], inbox: SimpleQueue[Request]) -> None:
    """Pass requests on; without a parent that can be understood, end at once, whatever is being done."""
    code = 1
    try:
        while (request := receive_request(source)) is not None:
            inbox.put(request)
        code = 0
    except msgspec.DecodeError as error:
        sys.stderr.write(f"medspan worker: cannot read a message: {type(error).__name__}\n")
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()

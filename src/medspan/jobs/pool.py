"""Worker processes: started when there is work, asked one task at a time, replaced when they die."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Timer
from typing import IO, TYPE_CHECKING, Any, cast

import msgspec

from medspan.errors import MedspanError, UsageError
from medspan.jobs.annotating import BLAME, PLAIN
from medspan.jobs.parts import Part
from medspan.jobs.wire import Done, ErrorRow, Failed, Found, Ready, Setup, Task, receive_reply, send
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from medspan.jobs.wire import Goal, Reply

START_TRIES = 3
COMMAND = (sys.executable, "-P", "-m", "medspan.jobs.worker")


class WorkerDiedError(MedspanError):
    """A worker process ended without an answer."""


class NotStartedError(MedspanError):
    """A worker process ended while it loaded the model."""


class StoppedError(MedspanError):
    """The workers were ended because the job is to stop at once."""


class WorkerProcess:
    """A child process with a loaded model.

    Raises:
        MedspanError: if the model cannot be loaded, or the process ends while it loads it.
    """

    def __init__(self, setup: Setup, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(setup.threads),
            process_group=0,
        )
        self._to = cast("IO[bytes]", self.process.stdin)
        self._from = cast("IO[bytes]", self.process.stdout)
        try:
            reply = self.ask(setup)
        except WorkerDiedError as error:
            raise NotStartedError(
                f"a worker process could not start: it {error}; what it wrote above may say why"
            ) from None
        if not isinstance(reply, Ready):
            self.close()
            raise failure_of(cast("Failed", reply))

    def ask(self, message: Setup | Task) -> Reply:
        """Send a message and wait for the answer.

        Raises:
            WorkerDiedError: if there is none; the process is then gone.
        """
        reply = None
        with suppress(OSError):
            send(self._to, message)
            reply = receive_reply(self._from)
        if reply is None:
            self.close()
            raise WorkerDiedError(_ending(self.process.returncode))
        return reply

    def close(self) -> None:
        """End the process, which holds nothing that would be lost."""
        for stream in (self._to, self._from):
            with suppress(OSError):
                stream.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=1)
        self.process.kill()
        self.process.wait()


class Pool:
    """Some worker processes, each used by one thread at a time.

    Args:
        setup: what each is told first.
        workers: how many at most; they are started as they are needed.
        command: how one is started; `COMMAND` where None.
        seconds: a worker that has not done a task after so many is ended; None for no limit.
    """

    def __init__(
        self,
        setup: Setup,
        workers: int,
        command: Sequence[str] | None = None,
        *,
        seconds: float | None = None,
    ) -> None:
        self._setup, self._seconds = setup, seconds
        self._command = COMMAND if command is None else command
        self._slots: SimpleQueue[WorkerProcess | None] = SimpleQueue()
        self._alive: set[WorkerProcess] = set()
        self._is_stopped = False
        for _ in range(workers):
            self._slots.put(None)

    def run(self, part: Part, goal: Goal) -> Done | Found:
        """Have a part done. Documents that end their worker process get error rows.

        Raises:
            MedspanError: if the work cannot be done at all: the model does not load, the disk is full.
            StoppedError: after `kill`.
        """
        task = part.task(goal)
        for _ in range(2):  # the first death may have come from outside
            with suppress(WorkerDiedError):
                return self._ask(task)
        task = self._without_deadly(task)
        with suppress(WorkerDiedError):
            return self._ask(task)
        try:
            return self._ask(_changed(task, is_alone=True))
        except WorkerDiedError as error:
            raise MedspanError(
                f"part {part.number}: its worker process {error}, though each document by itself passes; "
                "is there enough memory? try fewer --workers or a smaller --part-documents"
            ) from None

    def kill(self) -> None:
        """End all workers at once; what they were doing is lost, and `run` raises `StoppedError`."""
        self._is_stopped = True
        for worker in list(self._alive):
            worker.process.kill()

    def close(self) -> None:
        """End the workers; nobody may be waiting for one."""
        for worker in list(self._alive):
            worker.close()

    def _ask(self, task: Task) -> Done | Found:
        worker = self._slots.get()
        try:
            if self._is_stopped:
                raise StoppedError("stopped")
            if worker is None:
                worker = self._start()
            with self._limited(worker):
                reply = worker.ask(task)
        except WorkerDiedError:
            self._alive.discard(cast("WorkerProcess", worker))
            worker = None
            if self._is_stopped:
                raise StoppedError("stopped") from None
            raise
        finally:
            self._slots.put(worker)
        if isinstance(reply, Failed):
            raise failure_of(reply)
        return cast("Done | Found", reply)

    @contextmanager
    def _limited(self, worker: WorkerProcess) -> Iterator[None]:
        """End a worker that hangs, so that what it hangs on is found and the others go on."""
        if self._seconds is None:
            yield
            return
        timer = Timer(self._seconds, worker.process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _start(self) -> WorkerProcess:
        """A new worker; one that ends at its start may have been ended from outside, and is replaced."""
        for tries_left in reversed(range(START_TRIES)):
            try:
                worker = WorkerProcess(self._setup, self._command)
            except NotStartedError:
                if self._is_stopped or not tries_left:
                    raise
            else:
                self._alive.add(worker)
                if self._is_stopped:  # `kill` came while it loaded its model, and did not know of it
                    self._alive.discard(worker)
                    worker.close()
                    raise StoppedError("stopped")
                return worker
        raise AssertionError("the last try returns or raises")

    def _without_deadly(self, task: Task) -> Task:
        """Try each document by itself; those that end their worker become error rows."""
        errors = list(task.errors)
        passed = []
        for document, place in zip(task.documents, task.places, strict=True):
            try:
                self._ask(_changed(task, goal="probe", documents=[document], places=[place], errors=[]))
                passed.append((document, place))
            except WorkerDiedError as error:
                self._check(error)
                errors.append(ErrorRow(task.part, place, f"its worker process {error}", id=_id_of(document)))
        return _changed(
            task, documents=[d for d, _ in passed], places=[place for _, place in passed], errors=errors
        )

    def _check(self, death: WorkerDiedError) -> None:
        """Blame a document only where a plain text passes; else a fault of the model would cost them all."""
        part = Part(0, 0)
        part.add(PLAIN)
        try:
            self._ask(part.task("probe"))
        except WorkerDiedError:
            raise MedspanError(
                f"a worker process {death}, and another one did on a plain text; {BLAME}"
            ) from None


def failure_of(reply: Failed) -> MedspanError:
    """The error a worker reports."""
    return UsageError(reply.message) if reply.is_usage else MedspanError(reply.message)


def _changed(task: Task, **changes: Any) -> Task:  # noqa: ANN401 - the fields have different types
    return msgspec.structs.replace(task, **changes)


def _id_of(document: msgspec.Raw) -> str:
    return msgspec.msgpack.decode(document, type=Document).id


def _ending(code: int) -> str:
    """How a process ended: ``was ended by signal 9``."""
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _environment(threads: int) -> dict[str, str]:
    """That of this process; the child finds this medspan, and mathematical libraries keep to its threads."""
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment.setdefault(name, str(threads))
    root = str(Path(__file__).parents[2])
    if root not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([root, known] if known else [root])
    return environment

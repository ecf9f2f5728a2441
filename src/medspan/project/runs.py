"""The training runs of a project: a table of how they went, and the child process of the one that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

import msgspec

from medspan.errors import UsageError
from medspan.project.annotations import now
from medspan.project.learning import GOLD, MODEL, RECIPE
from medspan.project.structs import GOING, ConflictError, CurvePoint, NotFoundError, Run, RunScores

if TYPE_CHECKING:
    import sqlite3

    from medspan.project.database import Database
    from medspan.project.structs import RunState

LOG = "log.txt"
_PATIENCE_SECONDS = 10.0
_LONGEST_REASON = 500
_OWN_MESSAGE = "medspan: "
_RESTARTED = "the service ended while it went on; start it again"


class _Epoch(msgspec.Struct):
    """What the curve takes of a line of ``metrics.jsonl``."""

    epoch: int
    loss: float
    dev_mean: float


class Runs:
    """The table of runs and the folder of what they write.

    A run found in the middle was cut off by the end of its service: it is marked as failed, and a child of it
    that is still there is ended.

    Args:
        database: the project file.
        folder: of all runs, which is made with the first one.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stop = Event()
        self._end_those_cut_off()

    def folder(self, number: int) -> Path:
        """What a run writes."""
        return self._folder / str(number)

    def model_folder(self, number: int) -> Path:
        """The model of a run, which is there once it is done."""
        return self.folder(number) / MODEL

    @staticmethod
    def model_name(number: int) -> str:
        """What the model of a run is called."""
        return f"project-{number}"

    def all(self) -> tuple[Run, ...]:
        """Every run, the first one first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM runs ORDER BY number").fetchall()
        return tuple(map(self._run, rows))

    def get(self, number: int) -> Run:
        """A run.

        Raises:
            NotFoundError: if there is none of this number.
        """
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM runs WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise NotFoundError(f"there is no run {number} in this project")
        return self._run(row)

    def last(self) -> Run | None:
        """The newest run."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM runs ORDER BY number DESC LIMIT 1").fetchone()
        return None if row is None else self._run(row)

    def begin(self, sentences: int, held_back: int) -> int:
        """Enter a new run; its number.

        Raises:
            ConflictError: if one goes on, or its folder is there already.
            UsageError: if its folder cannot be made.
        """
        with self._database.writing() as connection:
            last = self.last()
            if last and last.is_going:
                raise ConflictError(f"run {last.number} goes on; wait for its end, or stop it")
            number = connection.execute(
                "INSERT INTO runs (state, sentences, held_back, started) VALUES ('preparing', ?, ?, ?)",
                (sentences, held_back, now()),
            ).lastrowid
            self._make_folder(self.folder(number or 0))
        self._stop.clear()
        return number or 0

    @staticmethod
    def _make_folder(place: Path) -> None:
        """A folder that only its owner may read, for it holds documents."""
        try:
            place.parent.mkdir(mode=0o700, exist_ok=True)
            place.mkdir(mode=0o700)
        except FileExistsError:
            raise ConflictError(
                f"{place}: is there already, from another copy of the project; move it"
            ) from None
        except OSError as error:
            raise UsageError(f"{place}: cannot be made: {error.strerror}") from None

    def enter(
        self, number: int, state: RunState, *, detail: str = "", scores: RunScores | None = None
    ) -> None:
        """Write down how far a run has come; what has come to an end stays as it is."""
        with self._database.writing() as connection:
            if not self.get(number).is_going:
                return
            values: dict[str, Any] = {"state": state, "detail": detail[:_LONGEST_REASON]}
            if state not in GOING:
                values |= {"ended": now(), "pid": None}
            if scores is not None:
                values["scores"] = msgspec.json.encode(scores).decode()
            names = ", ".join(f"{name} = :{name}" for name in values)
            order = f"UPDATE runs SET {names} WHERE number = :number"  # noqa: S608 - the names are constants
            connection.execute(order, {**values, "number": number})

    def mark_accepted(self, number: int) -> None:
        """Note that a run's model is the project's.

        Raises:
            NotFoundError: if there is no such run.
            ConflictError: if it has no model.
        """
        run = self.get(number)
        if run.state != "done":
            raise ConflictError(f"run {number} has no model to accept: it is {run.state}")
        with self._database.writing() as connection:
            connection.execute("UPDATE runs SET accepted = 1 WHERE number = ?", (number,))

    @property
    def is_stopped(self) -> bool:
        """Whether the run that goes on was told to stop."""
        return self._stop.is_set()

    def train(self, number: int, arguments: list[str]) -> str:
        """Run ``medspan train`` as a child until it ends; why it failed, or an empty string.

        Args:
            number: of the run.
            arguments: behind ``RECIPE -o MODEL``.
        """
        folder = self.folder(number)
        command = [sys.executable, "-m", "medspan", "train", str(folder / RECIPE), "-o", str(folder / MODEL)]
        with (folder / LOG).open("wb") as log:
            with self._lock:
                if self.is_stopped:
                    return ""
                self._child = subprocess.Popen(  # noqa: S603 - our own program, and paths of our own
                    [*command, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    env=_environment(),
                )
            self._note_child(number, self._child.pid)
            code = self._child.wait()
        with self._lock:
            self._child = None
        return "" if code == 0 else _reason(folder / LOG, code)

    def left_out(self, number: int) -> str:
        """What the training says it could not learn from, in its words; empty where that is nothing."""
        try:
            log = (self.folder(number) / LOG).read_text("utf-8", "replace")
        except OSError:
            return ""
        line = next((line for line in log.splitlines() if line.startswith(f"{GOLD}: ")), "")
        return ", ".join(part for part in line.split(", ") if "left out (" in part)

    def stop(self) -> Run:
        """Stop the run that goes on.

        Raises:
            NotFoundError: if there was no run yet.
            ConflictError: if none goes on.
        """
        last = self.last()
        if last is None:
            raise NotFoundError("there is no run in this project")
        if not last.is_going:
            raise ConflictError(f"run {last.number} is over: it is {last.state}")
        self.enter(last.number, "stopped", detail="stopped by the user")
        self._stop.set()  # only now: the run's thread, which sees its child end, writes no other end
        with self._lock:
            child = self._child
        if child is not None:
            _end(child)
        return self.get(last.number)

    def stop_all(self) -> None:
        """Stop what goes on, as a service does that ends."""
        with suppress(NotFoundError, ConflictError):
            self.stop()

    def _note_child(self, number: int, pid: int) -> None:
        with self._database.writing() as connection:
            connection.execute("UPDATE runs SET pid = ? WHERE number = ?", (pid, number))

    def _end_those_cut_off(self) -> None:
        with self._database.reading() as connection:
            rows = connection.execute("SELECT number, state, pid FROM runs WHERE ended IS NULL").fetchall()
        for row in rows:
            if row["pid"] and self._is_ours(row["pid"], row["number"]):
                with suppress(OSError):
                    os.killpg(row["pid"], signal.SIGKILL)
            self.enter(row["number"], "failed", detail=_RESTARTED)

    def _is_ours(self, pid: int, number: int) -> bool:
        """Whether a process is the child of a run, and not another one that has its number now."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(self.folder(number) / RECIPE) in words

    def _run(self, row: sqlite3.Row) -> Run:
        scores = msgspec.json.decode(row["scores"], type=RunScores)
        return Run(
            number=row["number"],
            state=row["state"],
            detail=row["detail"],
            sentences=row["sentences"],
            held_back=row["held_back"],
            curve=self._curve(row["number"]),
            before=scores.before,
            after=scores.after,
            labels=scores.labels,
            started=row["started"],
            ended=row["ended"],
            accepted=bool(row["accepted"]),
        )

    def _curve(self, number: int) -> tuple[CurvePoint, ...]:
        """The epochs so far; a line that is being written is left for later."""
        try:
            lines = (self.folder(number) / f"{MODEL}.run" / "metrics.jsonl").read_bytes().splitlines()
        except OSError:
            return ()
        points = []
        for line in lines:
            with suppress(msgspec.MsgspecError):
                row = msgspec.json.decode(line, type=_Epoch)
                points.append(CurvePoint(row.epoch + 1, round(row.loss, 4), round(row.dev_mean, 4)))
        return tuple(points)


def _environment() -> dict[str, str]:
    """That of this process; the child takes one core, as others are needed, and breaks no lines."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "1000"}


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask a child to end, and after a while make it."""
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        child.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


def _reason(log: Path, code: int) -> str:
    """Why a child failed: its own last message, which holds no text of a document, or how it ended."""
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    own = [line.removeprefix(_OWN_MESSAGE) for line in lines if line.startswith(_OWN_MESSAGE)]
    if own:
        return own[-1]
    if code < 0:
        return f"the training process was ended by signal {-code}; it may have had too little memory"
    return f"the training process ended with exit code {code}"

"""A bulk job: the input cut into parts, parts handed to workers, finished ones entered in the manifest."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from medspan import __version__
from medspan.errors import DataError, UsageError
from medspan.jobs.manifest import MANIFEST, Manifest, Settings, Totals, is_intact
from medspan.jobs.output import SUFFIXES, WriteError, check_packing, drop_leftovers
from medspan.jobs.parts import cut
from medspan.jobs.pool import Pool
from medspan.jobs.request import NO_MODEL
from medspan.jobs.sources import check_paths, read_units
from medspan.jobs.wire import Done, PartRow, Setup
from medspan.model.company import check_labels, company, config_digest
from medspan.model.session import available_cores
from medspan.model.tuning import settings_for
from medspan.pipeline import find_model

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.jobs.parts import Part
    from medspan.jobs.request import Request
    from medspan.jobs.stop import Stop

_POLL_SECONDS = 0.5


class Watcher(Protocol):
    """Hears how a job goes; one call at a time, from any thread."""

    def on_part(self, row: PartRow, *, is_new: bool) -> None:
        """A part is done, or was found done."""
        ...


class Outcome(NamedTuple):
    """How a job ended: the sums over all finished parts, and whether it was stopped before its end."""

    totals: Totals
    is_stopped: bool


def run_job(request: Request, folder: Path, watcher: Watcher, stop: Stop) -> Outcome:
    """Annotate into a folder of part files with a manifest.

    Raises:
        UsageError: if an input, the model or a setting cannot be; if the folder holds a job and none is
            resumed; if the settings differ from those of the job that is resumed.
        DataError: if the input is not the one the job was begun with.
        MedspanError: if a file cannot be written or the workers cannot work; the job can then be resumed.
    """
    check_paths(request.inputs, folder)
    settings = settings_of(request)
    with closing(_open_manifest(folder, settings, is_resumed=request.is_resumed)) as manifest:
        drop_leftovers(folder)
        setup = setup_of(request, folder, batch_words=manifest.settings.batch_words)
        pool = Pool(setup, workers_of(request))
        stop.at_once = pool.kill
        try:
            return _Run(request, folder, manifest, pool, watcher=watcher, stop=stop).go()
        finally:
            pool.close()
            drop_leftovers(folder)
            if not manifest.rows:  # so that a command that was wrong can be given anew without --resume
                manifest.discard()


def workers_of(request: Request) -> int:
    """How many workers: as asked for, else one for each core, or one for the GPU."""
    return request.workers or (1 if request.device == "cuda" else available_cores())


def setup_of(request: Request, folder: Path | None, *, batch_words: int | None = None) -> Setup:
    """What each worker is told first."""
    return Setup(
        "" if _has_patterns_alone(request) else str(find_model(request.model)),
        request.device,
        request.threads or 1,
        request.types,
        request.min_score,
        None if folder is None else str(folder),
        SUFFIXES[request.compress],
        batch_words,
        request.stages,
        None if request.deid is None else request.deid.setup(request.inputs),
    )


def _has_patterns_alone(request: Request) -> bool:
    return request.deid is not None and request.model == NO_MODEL


def settings_of(request: Request) -> Settings:
    """All that the output depends on.

    Raises:
        ModelError: if there is no such model, or it is damaged.
        UsageError: if the model has no such label.
        MissingExtraError: if zstd is to be written and is not installed.
    """
    check_packing(SUFFIXES[request.compress])
    name, digest, batch_words = model_of(request)
    deid = request.deid
    return Settings(
        medspan=__version__,
        model=name,
        model_digest=digest,
        inputs=request.inputs if deid is None else deid.shown(request.inputs),
        read_as=request.read_as,
        text_column=request.text_column,
        id_column=request.id_column,
        types=request.types,
        min_score=request.min_score,
        stages=request.stages,
        device=request.device,
        compress=request.compress,
        limits=request.limits,
        batch_words=batch_words,
        deid_policy=None if deid is None else deid.policy_digest(),
        deid_key=None if deid is None else deid.key_digest(),
    )


class ModelFacts(NamedTuple):
    """What a job depends on of its model: name, digest, and the batch size that is fastest here."""

    name: str
    digest: str
    batch_words: int | None


def model_of(request: Request) -> ModelFacts:
    """Facts of the model, which is looked at, not loaded.

    Raises:
        ModelError: if there is no such model, or it is damaged.
        UsageError: if it has no such label.
    """
    if _has_patterns_alone(request):
        return ModelFacts(NO_MODEL, "", None)
    models = company(find_model(request.model))
    check_labels(models, request.types or ())
    batch_words = settings_for(models[-1], threads=request.threads or 1)[1]
    return ModelFacts(models[-1].spec.name, config_digest(models), batch_words)


def _open_manifest(folder: Path, settings: Settings, *, is_resumed: bool) -> Manifest:
    path = folder / MANIFEST
    if path.exists():
        if is_resumed:
            return Manifest.resume(path, settings)
        raise UsageError(
            f"{folder}: holds a job already; go on with it by --resume, or name another folder with -o"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(folder, error) from None
    if stranger := next(iter(sorted(folder.glob("part-*.jsonl*"))), None):
        raise UsageError(
            f"{stranger}: a part file without a {MANIFEST} beside it; name another folder, or empty this one"
        )
    return Manifest.create(path, settings)


class _Run:
    """One run of a job, from its start or from where it was stopped."""

    def __init__(
        self, request: Request, folder: Path, manifest: Manifest, pool: Pool, *, watcher: Watcher, stop: Stop
    ) -> None:
        self._request = request
        self._folder = folder
        self._manifest = manifest
        self._pool = pool
        self._watcher = watcher
        self._stop = stop
        self._lock = Lock()
        self._workers = workers_of(request)

    def go(self) -> Outcome:
        """Do all parts that are not done."""
        request = self._request
        count = 0
        waiting: set[Future[None]] = set()
        with ThreadPoolExecutor(self._workers) as threads:
            try:
                for part in self._stop.until_asked(cut(read_units(request), request.limits)):
                    count += 1
                    if not self._is_done(part):
                        waiting.add(threads.submit(self._do, part))
                    waiting = self._settle(waiting, most=2 * self._workers - 1)
                if not self._stop.is_asked:
                    self._settle(waiting, most=0)
            finally:
                threads.shutdown(cancel_futures=True)  # those begun are finished, whatever happened
        if self._stop.is_asked:
            _raise_failures(waiting)
            return Outcome(self._manifest.totals(), is_stopped=True)
        self._check_end(count)
        return Outcome(self._manifest.complete(), is_stopped=False)

    def _settle(self, waiting: set[Future[None]], *, most: int) -> set[Future[None]]:
        """Wait until at most so many parts are waiting or being done; raise what went wrong."""
        while len(waiting) > most and not self._stop.is_asked:
            done, waiting = wait(waiting, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            _raise_failures(done)
        return waiting

    def _do(self, part: Part) -> None:
        row = cast("Done", self._pool.run(part, "part")).row
        if deid := self._request.deid:
            row = deid.row(row)
        self._manifest.add(row)
        self._tell(row, is_new=True)

    def _is_done(self, part: Part) -> bool:
        row = self._manifest.rows.get(part.number) if self._request.is_resumed else None
        if row is None:
            return False
        if row.input != self._digest_of(part):
            raise DataError(
                f"part {part.number} of {self._folder}: the input is not the one the job was begun with; "
                "give the same input, or start anew in another folder"
            )
        if not is_intact(self._folder, row):
            return False
        self._tell(row, is_new=False)
        return True

    def _digest_of(self, part: Part) -> str:
        """The digest of a part's input, as the manifest keeps it."""
        digest = part.digest()
        return digest if self._request.deid is None else self._request.deid.sealed(digest)

    def _tell(self, row: PartRow, *, is_new: bool) -> None:
        with self._lock:
            self._watcher.on_part(row, is_new=is_new)

    def _check_end(self, count: int) -> None:
        if surplus := [number for number in self._manifest.rows if number >= count]:
            raise DataError(
                f"{self._folder}: the input ends before part {min(surplus)}, which the manifest has: it is "
                "not the one the job was begun with; give the same input, or start anew in another folder"
            )


def _raise_failures(done: set[Future[None]]) -> None:
    for future in done:
        if not future.cancelled():
            future.result()

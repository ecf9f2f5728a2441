"""Progress of a bulk job on standard error: a live line on a terminal, else a plain line now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from medspan.jobs.wire import PartRow

_PLAIN_SECONDS = 30.0
_LIVE_PER_SECOND = 4


class Progress:
    """Counts what a job has done; a `Watcher`.

    Args:
        total_bytes: size of the input; None where it is not known, and no time left can be told.
        clock: seconds, for the speed.
    """

    def __init__(self, total_bytes: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._total_bytes = total_bytes
        self._clock = clock
        self._begun = clock()
        self._said = self._begun
        self._documents = 0
        self._errors = 0
        self._bytes = 0
        self._new_bytes = 0
        self.new_characters = 0
        console = Console(stderr=True)
        self._live = (
            Live(
                Text(),
                console=console,
                transient=True,
                get_renderable=self._text,
                refresh_per_second=_LIVE_PER_SECOND,
            )
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return max(self._clock() - self._begun, 1e-9)

    def on_part(self, row: PartRow, *, is_new: bool) -> None:
        """Count a part, and say so where it is time."""
        self._documents += row.documents
        self._errors += row.errors
        self._bytes += row.input_bytes
        if is_new:
            self._new_bytes += row.input_bytes
            self.new_characters += row.characters
        now = self._clock()
        if self._live is None and now - self._said >= _PLAIN_SECONDS:
            self._said = now
            typer.echo(self.line(), err=True)

    def line(self) -> str:
        """``12,000 documents, 5 errors, 310,000 characters/s, about 3 min left``."""
        parts = [f"{self._documents:,} documents", f"{self._errors:,} errors", f"{self.speed:,} characters/s"]
        if (left := self.seconds_left()) is not None:
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)

    @property
    def speed(self) -> int:
        """Characters a second in this run."""
        return round(self.new_characters / self.seconds)

    def seconds_left(self) -> float | None:
        """Seconds to the end, by the bytes of the input; None where nothing can be told yet."""
        if self._total_bytes is None or not self._new_bytes:
            return None
        return max(self._total_bytes - self._bytes, 0) / (self._new_bytes / self.seconds)

    def _text(self) -> Text:
        return Text(self.line())


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 100:  # noqa: PLR2004 - the shorter form
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"  # noqa: PLR2004 - as above

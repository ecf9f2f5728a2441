"""Ctrl-C (or SIGTERM) once: the current parts are finished; twice: everything ends at once."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

T = TypeVar("T")


class _ReadingStopped(KeyboardInterrupt):
    """Raised where the job waits for its input, which may never come."""


class Stop:
    """Whether the job is to stop.

    Args:
        tell: called when it is asked to for the first time.
    """

    def __init__(self, tell: Callable[[], None] = lambda: None) -> None:
        self.is_asked = False
        self.at_once: Callable[[], None] = lambda: None
        self._tell = tell
        self._is_reading = False

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Take over Ctrl-C and SIGTERM inside the block."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, self._on_signal)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def until_asked(self, items: Iterable[T]) -> Iterator[T]:
        """The items, until a stop is asked for; also while the next one is waited for."""
        source = iter(items)
        while not self.is_asked:
            try:
                self._is_reading = True
                try:
                    item = next(source)
                finally:
                    self._is_reading = False
            except (StopIteration, _ReadingStopped):
                return
            yield item

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_asked:
            self.at_once()
            raise KeyboardInterrupt
        self.is_asked = True
        self._tell()
        if self._is_reading:
            raise _ReadingStopped

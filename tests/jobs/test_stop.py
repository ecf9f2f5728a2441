"""Ctrl-C once and twice, and while the input is waited for."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from medspan.jobs.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator


def interrupt(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_asks_and_the_second_ends(number: int):
    said: list[str] = []
    stop = Stop(lambda: said.append("told"))
    stop.at_once = lambda: said.append("ended")
    with stop.listening():
        assert not stop.is_asked
        interrupt(number)
        assert stop.is_asked
        assert said == ["told"]
        with pytest.raises(KeyboardInterrupt):
            interrupt(number)
    assert said == ["told", "ended"]


def test_handlers_are_given_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="inside"), Stop().listening():
        raise ValueError("inside")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_items_end_when_a_stop_is_asked_for():
    stop = Stop()
    with stop.listening():
        seen = []
        for item in stop.until_asked(range(10)):
            seen.append(item)
            if item == 3:
                interrupt()
    assert seen == [0, 1, 2, 3]
    assert list(Stop().until_asked(range(3))) == [0, 1, 2]


def test_items_that_never_come_do_not_hold_up_a_stop():
    def endless() -> Iterator[int]:
        yield 1
        time.sleep(30)

    stop = Stop()
    began = time.monotonic()
    with stop.listening():
        threading.Timer(0.2, interrupt).start()
        assert list(stop.until_asked(endless())) == [1]
    assert time.monotonic() - began < 10

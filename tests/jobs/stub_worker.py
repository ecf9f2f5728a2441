"""A worker whose model is a stub: marks words in capitals, and does what some words order.

BOOM raises an error that holds the text, KILL ends the process, TOGETHER fails unless it is alone, LATER waits,
HANG waits for a minute, ONCE ends the process unless the file STUB_MARK is there, which it makes. With
STUB_DIES=start the process ends before it is ready, with "first start" only where STUB_MARK is not there, with
broken it has no model, with fails it fails on every text, with always it ends at each.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from medspan import pipeline
from medspan.errors import ModelError
from medspan.jobs.worker import main
from medspan.types import Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.types import Document

COMMAND = (sys.executable, str(Path(__file__).resolve()))


class Stub:
    labels = ("Drug",)
    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset({"entities"})

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        documents = list(documents)
        for document in documents:
            obey(document.text, len(documents))
            yield document.replace(entities=tuple(entities_of(document.text)))


def entities_of(text: str) -> Iterator[Entity]:
    for number, found in enumerate(re.finditer(r"\b[A-Z]{2,}\b", text), 1):
        yield Entity(f"T{number}", "Drug", (Span(*found.span()),), 0.5)


def obey(text: str, company: int) -> None:
    if os.environ.get("STUB_DIES") == "fails":
        raise ValueError(text)
    if os.environ.get("STUB_DIES") == "always" or "KILL" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    if "ONCE" in text and not (mark := Path(os.environ["STUB_MARK"])).exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if "BOOM" in text:
        raise ValueError(text)
    if "TOGETHER" in text and company > 1:
        raise ValueError(text)
    if "HANG" in text:
        time.sleep(60)
    if "LATER" in text:
        time.sleep(0.1)


def load(model: str, **_: object) -> Stub:
    if os.environ.get("STUB_DIES") == "first start" and not (mark := Path(os.environ["STUB_MARK"])).exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("STUB_DIES") == "start":
        os._exit(7)
    if os.environ.get("STUB_DIES") == "broken":
        raise ModelError(f"{model}: is broken on purpose")
    return Stub()


if __name__ == "__main__":
    pipeline.load = load  # type: ignore[assignment]
    main()

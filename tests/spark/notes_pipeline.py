"""Functions that workers find by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medspan.types import Attribute, Concept, Relation, Section, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.tasks.ner import EntityRecognizer
    from medspan.types import Document


class Everything:
    """Adds every layer there is, and fails on a word."""

    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset({"entities", "relations", "sections"})

    def __init__(self, recognizer: EntityRecognizer) -> None:
        self._recognizer = recognizer

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in self._recognizer.annotate(documents):
            if "EXPLODE" in document.text:
                raise ValueError(document.text)
            yield self._filled(document)

    @staticmethod
    def _filled(document: Document) -> Document:
        if not document.entities:
            return document
        extras = {
            "attributes": (Attribute("assertion", "absent", 0.5),),
            "concepts": (Concept("OMOP:42", "a name"),),
        }
        entities = tuple(msgspec.structs.replace(entity, **extras) for entity in document.entities)
        first, last = entities[0], entities[-1]
        return document.replace(
            entities=entities,
            relations=(Relation("R1", "of", first.id, last.id, 0.25),),
            sections=(Section("history", Span(0, len(document.text))),),
        )


def everything(recognizer: EntityRecognizer) -> Everything:
    return Everything(recognizer)


class Deadly:
    """Kills the executor it runs on when it sees a text that names a file, and the file is not there yet."""

    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset({"entities"})

    def __init__(self, recognizer: EntityRecognizer) -> None:
        self._recognizer = recognizer

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in self._recognizer.annotate(documents):
            word, _, name = document.text.partition(" ")
            if word == "KILL" and not Path(name).exists():
                Path(name).touch()
                os.kill(parent_of(os.getppid()), signal.SIGKILL)
                time.sleep(60)
            yield document


def parent_of(process: int) -> int:
    """A worker's parent is a daemon, whose parent is the executor."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[1])


def deadly(recognizer: EntityRecognizer) -> Deadly:
    return Deadly(recognizer)

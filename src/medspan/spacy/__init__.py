"""spaCy: documents as `Doc` and `DocBin`, and medspan as a pipe of a spaCy pipeline.

    nlp = spacy.blank("en")
    nlp.add_pipe("medspan", config={"model": "clinical", "stages": ["sections", "assertion"]})

Names are loaded when they are first used; the extra ``spacy`` brings what they need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from medspan.errors import MissingExtraError

if TYPE_CHECKING:
    from medspan.spacy.docs import add, from_doc, to_docs, write
    from medspan.spacy.pipe import MedspanPipe, make_pipe

__all__ = ["MedspanPipe", "add", "from_doc", "make_pipe", "to_docs", "write"]

_HOME = {
    "MedspanPipe": "medspan.spacy.pipe",
    "add": "medspan.spacy.docs",
    "from_doc": "medspan.spacy.docs",
    "make_pipe": "medspan.spacy.pipe",
    "to_docs": "medspan.spacy.docs",
    "write": "medspan.spacy.docs",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562).

    Raises:
        MissingExtraError: if spacy is not installed.
    """
    if name not in _HOME:
        raise AttributeError(f"module 'medspan.spacy' has no attribute {name!r}")
    try:
        value: object = getattr(import_module(_HOME[name]), name)
        import_module("medspan.spacy.docs").set_extensions()  # documents may come out of a DocBin
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "spacy":
            raise
        raise MissingExtraError("working with spaCy", "spacy", "spacy") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Finds entities in biomedical and clinical text on a CPU, and learns new ones from few labels.

    import medspan

    nlp = medspan.load()
    doc = nlp("No sign of lithium toxicity.")
    for entity in doc.entities:
        print(entity.start, entity.end, doc.text_of(entity), entity.label, entity.score)

Public names are loaded when they are first used, so that ``import medspan`` stays quick and light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medspan.errors import (
        AnnotationError,
        ConfigError,
        DataError,
        FormatError,
        MedspanError,
        MissingExtraError,
        ModelError,
        TrainingError,
        UsageError,
    )
    from medspan.evaluation import evaluate
    from medspan.formats import read, write
    from medspan.pipeline import Pipeline, load
    from medspan.report import Report
    from medspan.text.tokenize import tokenize
    from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span

__version__ = "0.1.0"

__all__ = [
    "AnnotationError",
    "Attribute",
    "Concept",
    "ConfigError",
    "DataError",
    "Document",
    "Entity",
    "FormatError",
    "MedspanError",
    "MissingExtraError",
    "ModelError",
    "Pipeline",
    "Relation",
    "Report",
    "Section",
    "Span",
    "TrainingError",
    "UsageError",
    "__version__",
    "evaluate",
    "load",
    "read",
    "tokenize",
    "write",
]

_ERRORS = (
    "AnnotationError",
    "ConfigError",
    "DataError",
    "FormatError",
    "MedspanError",
    "MissingExtraError",
    "ModelError",
    "TrainingError",
    "UsageError",
)
_TYPES = ("Attribute", "Concept", "Document", "Entity", "Relation", "Section", "Span")
_HOME = {
    **dict.fromkeys(_ERRORS, "medspan.errors"),
    **dict.fromkeys(_TYPES, "medspan.types"),
    "Pipeline": "medspan.pipeline",
    "load": "medspan.pipeline",
    "Report": "medspan.report",
    "evaluate": "medspan.evaluation",
    "read": "medspan.formats",
    "write": "medspan.formats",
    "tokenize": "medspan.text.tokenize",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'medspan' has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

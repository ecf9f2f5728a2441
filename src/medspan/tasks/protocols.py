"""The seam of every task: a function from documents to documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medspan.types import Document

TEXT_DEIDENTIFIED = "text_deidentified"
"""The layer, and the key of `Document.meta`, of a text without what identifies people."""


class Annotator(Protocol):
    """Adds one layer of annotation to documents.

    ``needs`` and ``gives`` name layers (``entities``, ``sections``, ``assertion`` ...); a `Pipeline` checks
    them when it is built.
    """

    @property
    def needs(self) -> frozenset[str]:
        """Layers that must be there before."""
        ...

    @property
    def gives(self) -> frozenset[str]:
        """Layers that are there afterwards."""
        ...

    def annotate(self, documents: Iterable[Document]) -> Iterable[Document]:
        """The documents with the layer added, in the same order."""
        ...

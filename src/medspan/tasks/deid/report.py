"""What a job changed, without the text: JSON lines, one a document, then the sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from medspan.tasks.deid.annotator import COUNTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from medspan.tasks.deid.policy import Policy
    from medspan.types import Document


class ChangeReport:
    """Counts what was changed and writes a line a document.

    Args:
        policy: whose actions are told with the sums.
        write: takes each line; None where only the sums are wanted.
    """

    def __init__(self, policy: Policy, write: Callable[[str], object] | None = None) -> None:
        self._policy, self._write = policy, write
        self.documents = self.errors = 0
        self.changed: dict[str, int] = {}

    def add(self, document: Document) -> None:
        """Count a de-identified document."""
        counts: dict[str, int] = document.meta.get(COUNTS, {})
        self.documents += 1
        for label, count in counts.items():
            self.changed[label] = self.changed.get(label, 0) + count
        self._line({"id": document.id, "changed": counts})

    def fail(self, name: str, reason: str) -> None:
        """Count a document that could not be de-identified and is not in the output."""
        self.errors += 1
        self._line({"id": name, "error": reason})

    def close(self) -> None:
        """Write the sums."""
        self._line(self.sums())

    def sums(self) -> dict[str, Any]:
        """Documents, errors, and by label how many were changed and by which action."""
        labels = {
            label: {"action": self._policy.labels[label], "changed": count}
            for label, count in sorted(self.changed.items())
        }
        return {"documents": self.documents, "errors": self.errors, "labels": labels}

    def _line(self, value: dict[str, Any]) -> None:
        if self._write:
            self._write(msgspec.json.encode(value).decode() + "\n")

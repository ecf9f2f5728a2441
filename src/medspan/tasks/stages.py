"""What can follow the entities, by name: one line a stage, in the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.errors import UsageError, did_you_mean
from medspan.tasks.assertion import Assertion
from medspan.tasks.sections import Sections

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from medspan.tasks.protocols import Annotator

STAGES: dict[str, Callable[[], Annotator]] = {
    "sections": Sections,
    "assertion": Assertion,
}


def check_stages(names: Sequence[str]) -> None:
    """Refuse a stage nobody knows.

    Raises:
        UsageError: naming it.
    """
    for name in names:
        if name not in STAGES:
            raise UsageError(f"stage {name!r}: unknown; {did_you_mean(name, STAGES)}")


def stages_of(names: Sequence[str]) -> list[Annotator]:
    """The stages of some names, in the order of `STAGES`, each with its defaults.

    Raises:
        UsageError: if there is no such stage.
    """
    check_stages(names)
    return [make() for name, make in STAGES.items() if name in names]

"""What can follow the entities, by name: one line a stage, in the order in which they run.

A stage is written ``name``, or ``name=PATH`` with a file or folder of one's own: a table of headings for
``sections``, of cues for ``assertion``, a trained model for ``relations`` (rules otherwise), an index of
`medspan terminology build` for ``codes``, which needs one. There may be several ``codes=PATH``, each for the
labels its index was built for (all where it names none), and ``codes.LABEL=PATH`` for one label.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from medspan.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from medspan.tasks.protocols import Annotator

    Paths = Sequence[tuple[str, Path]]
    """What a stage is given: a path and the label it is for, empty for none."""

ROUTE, MODE = "Route", "Mode"


def _sections(paths: Paths) -> Annotator:
    from medspan.tasks.sections import Sections  # noqa: PLC0415 - a stage is read only where it is asked for

    return Sections(tables=[path for _, path in paths])


def _assertion(paths: Paths) -> Annotator:
    from medspan.tasks.assertion import Assertion  # noqa: PLC0415 - as above

    return Assertion(tables=[path for _, path in paths])


def _relations(paths: Paths) -> Annotator:
    if paths:
        from medspan.tasks.relations import RelationExtractor  # noqa: PLC0415 - as above

        return RelationExtractor(paths[0][1])
    from medspan.formats.i2b2_entries import FIELDS  # noqa: PLC0415 - as above
    from medspan.tasks.medication import MedicationLinker  # noqa: PLC0415 - as above

    return MedicationLinker({**{label: label for label in FIELDS.values()}, ROUTE: MODE}, split=False)


def _codes(paths: Paths) -> Annotator:
    from medspan.tasks.resolution.index import Index  # noqa: PLC0415 - as above
    from medspan.tasks.resolution.resolver import Resolver  # noqa: PLC0415 - as above

    opened = {path: Index(path) for _, path in paths}
    indexes: dict[str, Index] = {label: opened[path] for label, path in paths if label}
    for label, path in paths:
        for own in () if label else opened[path].spec.labels or ("",):
            indexes.setdefault(own, opened[path])
    return Resolver(indexes)


class _Stage(NamedTuple):
    """How a stage is made of what it is given, and what that may be."""

    make: Callable[[Paths], Annotator]
    path: str
    needs_path: bool = False
    has_labels: bool = False


STAGES: Mapping[str, _Stage] = {
    "sections": _Stage(_sections, "a table of headings"),
    "assertion": _Stage(_assertion, "a table of cues"),
    "relations": _Stage(_relations, "a relation model"),
    "codes": _Stage(_codes, "an index (of medspan terminology build)", needs_path=True, has_labels=True),
}


def check_stages(wanted: Sequence[str]) -> None:
    """Refuse a stage nobody knows, one without what it needs, and a path where nothing is.

    Raises:
        UsageError: naming it.
    """
    for name, paths in _parsed(wanted).items():
        for _, path in paths:
            if not path.exists():
                raise UsageError(f"stage {name!r}: {path} is not there; give {STAGES[name].path}")


def stages_of(wanted: Sequence[str]) -> list[Annotator]:
    """Some stages, in the order of `STAGES`.

    Args:
        wanted: each ``name``, ``name=PATH`` or ``name.LABEL=PATH``.

    Raises:
        UsageError: if there is no such stage, or it lacks what it needs.
        ConfigError: if a table is malformed.
        ModelError: if a folder is no relation model, or no index.
    """
    check_stages(wanted)
    parsed = _parsed(wanted)
    return [stage.make(parsed[name]) for name, stage in STAGES.items() if name in parsed]


def _parsed(wanted: Sequence[str]) -> dict[str, list[tuple[str, Path]]]:
    """By stage, what it is given."""
    found: dict[str, list[tuple[str, Path]]] = {}
    for one in wanted:
        place, is_given, path = one.partition("=")
        name, _, label = place.strip().partition(".")
        stage = STAGES.get(name)
        if stage is None:
            raise UsageError(f"stage {name!r}: unknown; {did_you_mean(name, STAGES)}")
        if label and not stage.has_labels:
            raise UsageError(f"stage {one!r}: {name} is for all labels; leave .{label} out")
        paths = found.setdefault(name, [])
        if paths and (not stage.has_labels or (label and label in dict(paths))):
            raise UsageError(f"stage {one!r}: given twice; leave one out")
        if is_given:
            paths.append((label, Path(path.strip())))
        elif stage.needs_path or label:
            raise UsageError(f"stage {one!r}: needs {stage.path}; write {place.strip()}=PATH")
    return found

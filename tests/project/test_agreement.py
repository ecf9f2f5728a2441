"""Agreement against cases worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from medspan.project import Project
from medspan.project.agreement import agreement, cohens_kappa
from medspan.project.structs import Disagreement, Mark
from medspan.types import Document

if TYPE_CHECKING:
    from pathlib import Path


def test_the_example_of_cohen():
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed 0.7, by chance 0.5, so 0.4."""
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohens_kappa(pairs) == 0.4


@pytest.mark.parametrize(
    ("pairs", "kappa"),
    [
        ([], None),
        ([("O", "O")] * 3, None),
        ([("a", "a"), ("b", "b")], 1.0),
        ([("a", "b"), ("b", "a")], -1.0),
        ([("a", "b"), ("a", "b")], 0.0),
    ],
)
def test_kappa_at_its_ends(pairs: list[tuple[str, str]], kappa: float | None):
    assert cohens_kappa(pairs) == kappa


def test_two_annotators(tmp_path: Path):
    """Two documents of three words each; what only one has done does not count."""
    project = Project(tmp_path / "p.medspan", labels=("D",))
    project.documents.add(
        [Document(str(i), text) for i, text in enumerate(("aa bb cc", "dd ee ff", "gg"))], "documents"
    )
    save = project.annotations.save
    save("1", "anna", marks=[Mark(0, 2, "D"), Mark(3, 5, "D")], state="done", revision=0)
    save("1", "ben", marks=[Mark(0, 2, "D")], state="done", revision=0)
    save("2", "anna", marks=[Mark(0, 5, "D")], state="done", revision=0)
    save("2", "ben", marks=[Mark(0, 5, "D")], state="done", revision=0)
    save("3", "anna", marks=[Mark(0, 2, "D")], state="done", revision=0)
    save("3", "ben", marks=[], state="open", revision=0)
    found = agreement(project)
    pair = found.pairs[0]
    assert (pair.a, pair.b, pair.documents) == ("anna", "ben", 2)
    assert pair.f1 == 0.8  # 2 x 2 / (3 + 2)
    # Words: anna B B O B I O, ben B O O B I O; 5 of 6 alike; chance 3/6 x 2/6 + 1/6 x 1/6 + 2/6 x 3/6 = 13/36.
    assert pair.kappa == round((5 / 6 - 13 / 36) / (1 - 13 / 36), 4)
    assert found.disagreements == (Disagreement("1", "D", 3, 5, ("anna",), ("ben",)),)
    project.close()


def test_alone_nobody_disagrees(tmp_path: Path):
    project = Project(tmp_path / "p.medspan", labels=("D",))
    project.documents.add([Document("d", "aa bb")], "documents")
    project.annotations.save("1", "anna", marks=[Mark(0, 2, "D")], state="done", revision=0)
    assert agreement(project).pairs == ()
    assert agreement(project).disagreements == ()
    project.close()

"""Clashes between invented corpora whose conventions are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from medspan.config import parse_recipe
from medspan.corpora import load
from medspan.errors import UsageError
from medspan.study.causes import cause_of
from medspan.study.clashes import Texts, find_clashes
from medspan.study.members import by_type, find_member, members_of, type_of
from medspan.study.reasons import reasons, risks
from medspan.study.strings import key_of
from medspan.study.structs import Limits
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from medspan.config import Recipe
    from medspan.study.structs import Pair, TypeStudy

PAGE = Path(__file__).resolve().parents[2] / "docs" / "corpora-together.md"


def marked(*texts: str, label: str = "Species") -> list[Document]:
    """Documents whose mentions stand in brackets; ``[mice|Other]`` has a label of its own."""
    return [_marked(text, label, number) for number, text in enumerate(texts)]


def _marked(text: str, label: str, number: int) -> Document:
    plain, entities = "", []
    for piece in text.split("["):
        inside, bracket, rest = piece.partition("]")
        if bracket:
            name, _, own = inside.partition("|")
            span = Span(len(plain), len(plain) + len(name))
            entities.append(Entity(f"T{len(entities)}", own or label, (span,)))
            plain += name
        plain += rest if bracket else piece
    return Document(str(number), plain, tuple(entities))


def recipe(labels: dict[str, tuple[str, ...]]) -> Recipe:
    return parse_recipe(
        {
            "name": "r",
            "encoder": {"kind": "window"},
            "corpora": {name: {"source": name} for name in labels},
            "heads": {name: {"labels": each, "corpora": [name]} for name, each in labels.items()},
        },
        "r.toml",
    )


def compared(
    *, show: bool = True, labels: tuple[str, ...] = ("Species",), **corpora: list[Document]
) -> TypeStudy:
    members = members_of(recipe(dict.fromkeys(corpora, labels)))
    public = set(corpora) if show else set()
    (study,) = find_clashes(
        by_type(members), Texts(corpora, {name: name for name in corpora}, public), Limits()
    )
    return study


def pair_of(study: TypeStudy, first: str, second: str) -> Pair:
    pair = study.pair(first, second)
    assert pair is not None
    return pair


def test_a_string_that_only_one_labels():
    study = compared(a=marked(*["the [patients] came"] * 5), b=marked(*["[mice] of patients"] * 4))
    pair = pair_of(study, "a", "b")
    (clash,) = pair.clashes
    assert (clash.string, clash.cause) == ("patients", "people")
    assert (clash.mentions, clash.share, clash.places, clash.exact, clash.clashing) == (5, 1.0, 4, 0, 4)
    assert (pair.mention_share, pair.places, pair.per_100) == (1.0, 4, 100.0)
    assert pair_of(study, "b", "a").clashing == 0
    assert (pair.dictionary.precision, pair.dictionary.recall, pair.own_precision) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("a", "b", "cause", "clashing"),
    [
        (["the [mice]"] * 3, ["the [nude mice]"] * 3, "longer", 3),
        (["the [nude mice]"] * 3, ["the nude [mice]"] * 3, "shorter", 3),
        (["a [mouse heart]"] * 3, ["a mouse [heart valve]"] * 3, "crossing", 3),
        (["the [mice]"] * 3, ["the mice"] * 5, "name", 5),
        (["the [plants]"] * 3, ["the plants"] * 5, "rank", 5),
        (["the [mice]"] * 2, ["the mice"] * 5, None, 0),  # labelled too seldom
        (["the [mice]"] * 3, ["the mice"] * 2, None, 0),  # stands too seldom
        (["the [mice]"] * 4 + ["mice"], ["the mice"] * 5, None, 0),  # labelled at four fifths, no more
        (["the [mice]"] * 5, ["the mice"] * 4 + ["[mice]"], None, 0),  # labelled at a fifth, no less
        (["the [mice]", "[mice]", "[nude mice]"] * 3, ["the [nude mice]"] * 5, None, 0),  # a does it too
    ],
)
def test_when_a_string_clashes(a: list[str], b: list[str], cause: str | None, clashing: int):
    pair = pair_of(compared(a=marked(*a), b=marked(*b, "[rat]")), "a", "b")
    assert [clash.cause for clash in pair.clashes] == ([cause] if cause else [])
    assert pair.places == clashing


def test_another_label_is_a_clash_only_where_both_know_it():
    a, b = marked(*["[CD4|protein]"] * 3, "[x|DNA]"), marked(*["[CD4|DNA]"] * 3, "[y|protein]")
    pair = pair_of(compared(a=a, b=b, labels=("protein", "DNA")), "a", "b")
    assert [(clash.cause, clash.clashing) for clash in pair.clashes] == [("label", 3)]
    other = marked(*["[CD4|GENE]"] * 3)
    members = members_of(recipe({"a": ("protein",), "b": ("GENE",)}))
    same_type = [member._replace(type="gene") for member in members]
    (study,) = find_clashes(
        by_type(same_type), Texts({"a": a, "b": other}, {"a": "a", "b": "b"}, ()), Limits()
    )
    assert pair_of(study, "a", "b").clashing == 0


def test_words_that_stand_everywhere_are_generic():
    texts = {name: marked(f"{name} [{name}] protein") for name in ("c", "d", "e")}
    study = compared(a=marked(*["[protein]"] * 3), b=marked(*["protein [b]"] * 3), **texts)
    assert pair_of(study, "a", "b").clashes[0].cause == "generic"
    few = compared(a=marked(*["[protein]"] * 3), b=marked(*["protein [b]"] * 3))
    assert pair_of(few, "a", "b").clashes[0].cause == "name"


def test_the_same_text_twice_is_one_text():
    same = marked("x [y] protein")
    study = compared(a=marked(*["[protein]"] * 3), b=marked(*["protein [b]"] * 3), c=same, d=same, e=same)
    assert pair_of(study, "a", "b").clashes[0].cause == "name"


def test_strings_are_left_out_where_they_should():
    corpora = {
        "a": marked(*["the [secret name]"] * 3),
        "b": marked(*["the secret name", "[mice] secret name"] * 3),
    }
    study = compared(show=False, **corpora)
    pair = pair_of(study, "a", "b")
    assert pair.clashing == 1
    assert "secret" not in repr(study)
    assert all("secret" not in line for risk in risks(study) for line in reasons(study, risk))
    assert "secret" in repr(compared(**corpora))


def test_risks_go_both_ways():
    study = compared(
        a=marked(*["[patients] and animals"] * 4), b=marked(*["patients and [animals]"] * 4, "[rat]", "[cat]")
    )
    to_a, to_b = risks(study)
    assert (to_a.target, to_a.helper, to_a.extra, to_a.missed, to_a.moved) == ("a", "b", 1.0, 1.0, 0.0)
    assert (to_b.extra, to_b.missed) == (4 / 6, 4 / 6)
    extra, missed, score = reasons(study, to_a)
    assert "b labels what a leaves bare: 4 places" in extra
    assert "kinds and ranks above species 4: animals" in extra
    assert "words for people 4: patients" in missed
    assert "precision of 0.0 % on the text of a" in score


def test_borders_say_what_is_added():
    study = compared(
        a=marked(*["the [mice]"] * 3), b=marked(*["[nude mice]"] * 2, "[mice strain]", "[mice]", "mice")
    )
    borders = pair_of(study, "a", "b").borders
    assert (borders.exact, borders.longer, borders.shorter, borders.crossing) == (1, 3, 0, 0)
    assert borders.added == (("nude …", 2), ("… strain", 1))


def test_the_dictionary_takes_the_longest_and_only_what_is_mostly_labelled():
    a = marked("[nude mice]", "[mice]", "[was] was was was")
    b = marked("[nude mice] was", "[mice]", "[rats]", "old mice", "[old mice] and mice")
    pair = pair_of(compared(a=a, b=b), "a", "b")
    assert (pair.dictionary.tp, pair.dictionary.fp, pair.dictionary.fn) == (2, 3, 2)
    assert pair.wrong_bare == 2


def test_empty_corpora_divide_by_nothing():
    study = compared(a=[], b=[Document("d", "")])
    assert [pair.per_100 for pair in study.pairs] == [0.0, 0.0]
    assert [risk.sum for risk in risks(study)] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("surface", "is_everywhere", "cause"),
    [
        ("patients", True, "people"),
        ("healthy volunteers", False, "name"),
        ("women", False, "people"),
        ("bacteria", True, "rank"),
        ("land plants", False, "rank"),
        ("Enterobacteriaceae", False, "rank"),
        ("MRSA", False, "abbreviation"),
        ("p21", True, "abbreviation"),
        ("eIF3", False, "abbreviation"),
        ("C57BL / 6 mice", False, "strain"),
        ("influenza A 2009", False, "strain"),
        ("protein", True, "generic"),
        ("Protein", True, "name"),
        ("ketamine", False, "name"),
        ("E. coli", False, "name"),
        ("42", False, "strain"),
    ],
)
def test_causes(surface: str, is_everywhere: bool, cause: str):  # noqa: FBT001 - a table
    assert cause_of(key_of(surface), surface, is_everywhere=is_everywhere) == cause


def test_members_and_types():
    made = recipe({"a": ("X",), "b": ("X",), "c": ("Y", "Z")})
    members = members_of(made)
    assert [(m.name, m.type) for m in members] == [("a", "X"), ("b", "X"), ("c", "Y,Z")]
    assert list(by_type(members)) == ["X"]
    assert list(by_type(members, ["x"])) == ["X"]
    assert find_member("c", members).labels == ("Y", "Z")
    with pytest.raises(UsageError, match="no two corpora annotate the same type"):
        by_type(members, ["Y,Z"])
    with pytest.raises(UsageError, match=r"--type W: no head of the recipe has it; .*X"):
        by_type(members, ["W"])
    with pytest.raises(UsageError, match="did you mean"):
        find_member("cc", [m._replace(name="ccc") for m in members])


def test_a_group_is_the_type_where_heads_have_one():
    class Head:
        labels = ("GENE",)
        group = "gene"

    assert type_of(Head()) == "gene"  # type: ignore[arg-type]


def test_a_corpus_of_two_heads_is_two_members():
    made = parse_recipe(
        {
            "name": "r",
            "encoder": {"kind": "window"},
            "corpora": {"a": {"source": "a"}},
            "heads": {"x": {"labels": ["X"], "corpora": ["a"]}, "y": {"labels": ["Y"], "corpora": ["a"]}},
        },
        "r.toml",
    )
    assert [m.name for m in members_of(made)] == ["a/x", "a/y"]


def test_figures_of_the_documentation(corpora_dir: Path):  # noqa: ARG001 - skips without corpora
    craft = [
        document.replace(entities=tuple(Entity(e.id, "Species", e.spans) for e in document.entities))
        for document in load("ner/CRAFT-species", "train")
    ]
    study = compared(linnaeus=load("ner/linnaeus", "train"), craft=craft)
    risk = risks(study)[0]
    pair = pair_of(study, "craft", "linnaeus")
    own, score = 100 * pair.own_precision, 100 * pair.dictionary.precision
    row = f"| {100 * risk.extra:.1f} | {100 * risk.missed:.1f} | {score:.1f} ({own:.1f}) |"
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"| CRAFT-species {row}" in text
    rank, people = (next(c for c in pair.causes if c.name == name) for name in ("rank", "people"))
    assert f"at {rank.places + people.places} places" in text
    assert f"{rank.places} together; and *individuals* {people.places}" in text
    places = {clash.string: clash.clashing for clash in pair.clashes}
    named = ("animals", "bacteria", "bacterial", "plant", "animal", "eukaryotic", "mammalian", "organisms")
    assert all(f"*{name}* {places[name]}" in text for name in named)
    mentions = {clash.string: clash.mentions for clash in pair_of(study, "linnaeus", "craft").clashes}
    assert mentions == {"patients": 246, "children": 64, "patient": 46}
    assert "*patients* (246 mentions), *children* (64) and *patient* (46) are 16.8 %" in text
    assert f"{pair_of(study, 'linnaeus', 'craft').places} times" in text

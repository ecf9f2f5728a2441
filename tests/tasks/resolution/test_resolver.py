"""Look-ups and the annotator: what is found, what is not, and that nothing depends on its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import invented
from medspan.errors import UsageError
from medspan.pipeline import Pipeline
from medspan.tasks.resolution.build import IndexBuilder
from medspan.tasks.resolution.coordination import ways_apart
from medspan.tasks.resolution.lookup import Lookup
from medspan.tasks.resolution.mentions import forms_of, ways_to_say, written_out
from medspan.tasks.resolution.resolver import Resolver
from medspan.tasks.resolution.terms import Kind, Name

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.tasks.resolution.index import Index


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    more = (
        Name("X:4", "lung trouble", Kind.MENTION, count=1),
        Name("X:5", "lung trouble", Kind.MENTION, count=5),
    )
    return invented.make_index(tmp_path_factory.mktemp("resolver") / "index", more)


@pytest.mark.parametrize(
    ("mention", "concept"),
    [
        ("Grey fever", "X:1"),
        ("grey FEVERS", "X:1"),
        ("lung neoplasm", "X:2"),
        ("tumor of lung", "X:2"),
        ("renal tumours", "X:3"),
        ("zelvorin type II", "X:6"),
        ("zelvorin-1", "X:7"),
        ("greyish fever", "X:1"),
        ("lung trouble", "X:5"),
    ],
)
def test_what_is_found(index: Index, mention: str, concept: str) -> None:
    found = Lookup(index, none_below=0.0)(mention)
    assert found[0].id == concept
    assert found[0].name == invented.CONCEPTS[concept][0]
    assert all(0 <= each.score <= found[0].score <= 1 for each in found if each.score is not None)
    assert len({each.id for each in found}) == len(found)


@pytest.mark.parametrize("mention", ["", "-", "qqqq", "😀"])
def test_what_is_none_of_these(index: Index, mention: str) -> None:
    assert Lookup(index)(mention) == ()


def test_a_threshold_of_one_gives_none(index: Index) -> None:
    assert Lookup(index, none_below=1.0)("greyish fever") == ()


def test_the_best_does_not_depend_on_how_many_are_asked_for(index: Index) -> None:
    for mention in ("grey fever", "greyish fever", "lung colds", "zelvorin", "lung trouble"):
        one, many = Lookup(index, most=1)(mention), Lookup(index, most=5, deep=True)(mention)
        assert [(each.id, each.score) for each in one] == [(each.id, each.score) for each in many[:1]]
        assert len(one) <= 1


def test_deep_looks_for_more_where_a_name_is_met(index: Index) -> None:
    assert [each.id for each in Lookup(index)("common cold")] == ["X:4"]
    found = [each.id for each in Lookup(index, deep=True)("common cold")]
    assert found[0] == "X:4"
    assert "X:5" in found


def test_coordinated_mentions_are_taken_apart(index: Index) -> None:
    found = Lookup(index)("lung and kidney cancer")
    assert [each.id for each in found[:2]] == ["X:2", "X:3"]
    assert ways_apart("lung cancer") == ways_apart("lung and ") == ways_apart("a/b/c/d/e/f/g/h") == []
    assert ("tumours of the lung", "tumours of the kidney") in ways_apart("tumours of the lung and kidney")


def test_short_forms_are_written_out() -> None:
    document = invented.document("Common ash fever (CAF), then CAF and CAF pain (see).", "CAF pain")
    forms = forms_of(document).long
    assert forms == {"CAF": "Common ash fever"}
    assert written_out("CAF", forms) == written_out("CAFs", forms) == "Common ash fever"
    assert written_out("CAF pain", forms) == "Common ash fever pain"
    assert written_out("Common ash fever (CAF) pain", forms) == "Common ash fever pain"
    assert written_out("grey fever", forms) == "grey fever"


def test_a_mention_in_brackets_is_short_for_the_one_before() -> None:
    text = "Had grey fever (gfx) often."
    assert forms_of(invented.document(text, "grey fever", "gfx")).long == {"gfx": "grey fever"}
    assert forms_of(invented.document(text)).long == {}


def test_parts_of_a_joined_short_form() -> None:
    text = "Common ash-grey fever (CA-GF), then GF and the XY-GF, CA."
    forms = forms_of(invented.document(text)).long
    assert forms == {"CA-GF": "Common ash-grey fever", "CA": "Common ash", "GF": "grey fever"}
    assert written_out("XY-GF", forms) == "XY-grey fever"


def test_a_mention_beside_another_is_another_way_to_say_it(index: Index) -> None:
    text = "Had QX-77 (grey fever) and lung cancer (common cold), [ash fever], QX-77 again."
    document = invented.document(text, "QX-77", "grey fever", "lung cancer", "common cold", "ash fever")
    forms = forms_of(document)
    assert ways_to_say("QX-77", forms) == ("QX-77", "grey fever")
    assert ways_to_say("ash fever", forms) == ("ash fever",)
    (found,) = Resolver(index).annotate([document])
    assert [entity.concepts[0].id for entity in found.entities] == ["X:1", "X:1", "X:2", "X:4", "X:1"]


def test_a_lookup_with_its_own_settings(index: Index) -> None:
    document = invented.document("greyish fever", "greyish fever")
    (found,) = Resolver(Lookup(index, none_below=1.0)).annotate([document])
    assert found.entities[0].concepts == ()


def test_the_annotator_gives_concepts_and_changes_nothing_else(index: Index) -> None:
    text = "😀 Lung cancer (LC) came; LC went."
    document = invented.document(text, "Lung cancer", "LC")
    (found,) = Resolver(index).annotate([document])
    assert [entity.concepts[0].id for entity in found.entities] == ["X:2", "X:2"]
    assert found.replace(entities=document.entities) == document
    assert [entity.spans for entity in found.entities] == [entity.spans for entity in document.entities]
    assert document.entities[0].concepts == ()


def test_a_table_of_labels(index: Index) -> None:
    document = invented.document("grey fever", "grey fever", label="Drug", ids=("OLD:1",))
    (kept,) = Resolver({"Problem": index}).annotate([document])
    assert kept == document
    (replaced,) = Resolver({"Drug": index.path}).annotate([document])
    assert replaced.entities[0].concepts[0].id == "X:1"


def test_an_index_is_for_the_labels_it_was_built_for(tmp_path: Path) -> None:
    builder = IndexBuilder()
    builder.add_all(invented.names())
    builder.write(tmp_path / "problems", [], labels=("Problem",))
    other = IndexBuilder()
    other.add(Name("Y:1", "grey fever"))
    other.write(tmp_path / "any", [])
    problem, drug = (
        invented.document("grey fever", "grey fever", label=each) for each in ("Problem", "Drug")
    )
    alone = list(Resolver(str(tmp_path / "problems")).annotate([problem, drug]))
    assert [bool(each.entities[0].concepts) for each in alone] == [True, False]
    both = list(Resolver([tmp_path / "any", tmp_path / "problems"]).annotate([problem, drug]))
    assert [each.entities[0].concepts[0].id for each in both] == ["X:1", "Y:1"]


def test_it_needs_entities(index: Index) -> None:
    with pytest.raises(UsageError, match="needs entities"):
        Pipeline([Resolver(index)])
    documents = Pipeline([Resolver(index)], given={"entities"}).annotate(
        [invented.document("ash fever", "ash fever")]
    )
    assert next(documents).entities[0].concepts[0].id == "X:1"


WORDS = st.sampled_from(
    ["lung", "kidney", "grey", "fever", "cancer", "cold", "and", "zelvorin", "2", "(GF)", "tumour"]
)


@given(mentions=st.lists(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), min_size=1, max_size=8))
def test_order_and_batches_change_nothing(index: Index, mentions: list[str]) -> None:
    documents = [invented.document(mention, mention) for mention in mentions]
    together = list(Resolver(index).annotate(documents))
    backwards = list(Resolver(index).annotate(documents[::-1]))[::-1]
    alone = [next(Resolver(index).annotate([document])) for document in documents]
    assert together == backwards == alone


@pytest.mark.parametrize("sign", ["%", "+", "->", "\u2014", " "])
def test_a_sign_alone_is_no_name(index: Index, sign: str) -> None:
    assert Lookup(index, none_below=0.0)(sign) == ()
    assert Lookup(index, none_below=0.0, deep=True)(f"{sign} and {sign}") == ()

"""Assertion by a network that reads one mention of a sentence at a time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from medspan import formats
from medspan.errors import ConfigError, ModelError
from medspan.features.views import ViewSpec, read_views
from medspan.pipeline import Pipeline
from medspan.tasks.assertion.network import MENTION, NetworkAssertion
from medspan.toml import recipe_toml
from medspan.train.relations.run import train_relations
from medspan.types import Attribute, Document, Entity, Relation, Span
from tiny_relations import relation_recipe
from tiny_training import Silent

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = (("There was no {} today.", "absent"), ("Denies {} at night.", "absent"))
FRAMES += (("There was {} today.", "present"), ("Had {} at night.", "present"))
PROBLEMS = ("grey fever", "dry lung", "nausea", "nodular ankylia")
ALONE = ViewSpec(pairs=((MENTION, MENTION),), alone=True, blind=True)


def sentence(number: int, label: str = MENTION) -> tuple[Document, str]:
    draw = random.Random(number)  # noqa: S311 - invented text, no secret
    (frame, said), problem = draw.choice(FRAMES), draw.choice(PROBLEMS)
    start = frame.index("{}")
    entity = Entity("T1", label, (Span(start, start + len(problem)),), 0.5, (Attribute("side", "left"),))
    return Document(str(number), frame.format(problem), (entity,)), said


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network")
    (folder / "corpus").mkdir()
    for split, numbers in (("train", range(80)), ("dev", range(100, 120))):
        documents = []
        for document, said in map(sentence, numbers):
            relations = (Relation("R1", said, "T1", "T1"),) if said == "absent" else ()
            documents.append(document.replace(relations=relations))
        formats.write(documents, folder / "corpus" / f"{split}.jsonl")
    recipe = relation_recipe("pairs")
    relations = msgspec.structs.replace(recipe.relations, labels=("absent",), views=ALONE)
    train = msgspec.structs.replace(recipe.train, epochs=20)
    (folder / "tiny.toml").write_text(
        recipe_toml(msgspec.structs.replace(recipe, relations=relations, train=train)), encoding="utf-8"
    )
    output = folder / "model"
    train_relations(folder / "tiny.toml", output, watcher=Silent(), tell=lambda _: None, device="cpu")
    return output


def test_it_says_what_it_learnt_of_any_label(model: Path):
    drawn = [sentence(number, "Problem") for number in range(200, 230)]
    pipeline = Pipeline([NetworkAssertion(model, device="cpu", threads=1)], given={"entities"})
    found = list(pipeline.annotate(document for document, _ in drawn))
    said = [{a.name: a.value for a in d.entities[0].attributes} for d in found]
    assert [each["assertion"] for each in said] == [said for _, said in drawn]
    assert all(each["side"] == "left" for each in said)
    assert [d.entities[0].label for d in found] == ["Problem"] * len(found)
    alone = [next(pipeline.annotate([document])) for document, _ in drawn]
    assert alone == found


def test_an_old_answer_goes_and_relations_stay(model: Path):
    document, _ = sentence(1)
    old = msgspec.structs.replace(document.entities[0], attributes=(Attribute("assertion", "possible"),))
    given = document.replace(entities=(old,), relations=(Relation("R1", "of", "T1", "T1"),))
    (found,) = NetworkAssertion(model, device="cpu", threads=1).annotate([given])
    assert len(found.entities[0].attributes) == 1
    assert found.relations == given.relations
    assert list(NetworkAssertion(model, device="cpu", threads=1).annotate([])) == []


def test_each_mention_is_a_pair_with_itself():
    entities = tuple(Entity(f"T{i}", MENTION, (Span(i, i + 1),)) for i in (0, 2, 4))
    (view,) = read_views([Document("d", "a b c", entities)], ALONE, size=50, overlap=5)
    assert view.pairs == [(0, 0), (1, 1), (2, 2)]


def test_what_cannot_be_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"relations\.alone: a mention by itself is not marked"):
        ViewSpec(pairs=((MENTION, MENTION),), alone=True, marked=True)
    with pytest.raises(ModelError):
        NetworkAssertion(tmp_path)

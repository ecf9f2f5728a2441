"""Teachers → a student's heads: mapping by label, averages, and windows put together."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from medspan.config import parse_recipe
from medspan.errors import UsageError
from medspan.features.batch import Featurizer
from medspan.features.cut import cut
from medspan.features.vocab import build_vocab
from medspan.model.marginals import tag_marginals
from medspan.model.tagger import Tagger
from medspan.tags import iobes_tags
from medspan.text.tokenize import tokenize
from medspan.train.distil.teachers import Teacher, Teachers
from medspan.train.loop import head_decoder
from medspan.train.network import Network
from medspan.train.scorer import TorchScorer
from medspan.types import Document, Span

TEXTS = ["No sign of grey fever .", "zelvorin", "Levels of zelvorin were low after the meal , and so on " * 4]


def sentences(texts: list[str]) -> list[Document]:
    return [Document(f"s{i}", text, sentences=(Span(0, len(text)),)) for i, text in enumerate(texts)]


def sizes(documents: list[Document]) -> np.ndarray:
    return np.array([len(tokenize(document.text)) for document in documents])


def tagger(heads: dict[str, dict[str, object]], *, seed: int, window: tuple[int, int] = (100, 20)) -> Tagger:
    """A random model with these heads; windows only matter to encoders that see beyond them, as LSTMs do."""
    recipe = parse_recipe(
        {
            "name": "t",
            "encoder": {"kind": "window", "word_width": 8, "hidden_width": 16, "max_chars": 8, "reach": 1},
            "corpora": {"c": {"source": "c"}},
            "heads": {name: {"corpora": ["c"], **head} for name, head in heads.items()},
        },
        "t",
    )
    vocab = build_vocab([text.split() for text in TEXTS])
    torch.manual_seed(seed)
    network = Network(recipe, vocab).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.normal_(0, 0.5)
            if name.endswith(("words.weight", "chars.weight")):
                parameter[0] = 0.0
    featurizer = Featurizer(vocab, network.inputs, max_chars=8)
    decoders = {name: head_decoder(network, name, temperature=1.5) for name in heads}
    return Tagger(TorchScorer(network), decoders, featurizer, window=window)


def direct(model: Tagger, head: str, documents: list[Document]) -> np.ndarray:
    """The marginals of a head, document by document."""
    found = []
    for document in documents:
        (scored,) = model.score([document])
        found.append(tag_marginals(model.decoders[head], scored.emissions[head], scored.lengths)[0])
    return np.concatenate(found)


DISEASE = {"disease": {"labels": ["Disease"]}}


def test_one_teacher_gives_its_marginals():
    model, documents = tagger(DISEASE, seed=1), sentences(TEXTS)
    found = Teachers([Teacher(model)], {"disease": ("Disease",)}).marginals(documents, sizes(documents))
    np.testing.assert_allclose(found["disease"], direct(model, "disease", documents), atol=1e-5)


def test_labels_in_another_order_and_others_besides():
    wide = {"all": {"labels": ["Drug", "Disease", "Gene"], "kind": "softmax"}}
    model, documents = tagger(wide, seed=2), sentences(TEXTS)
    heads = {"own": ("Disease", "Drug")}
    found = Teachers([Teacher(model)], heads).marginals(documents, sizes(documents))["own"]
    given, tags = direct(model, "all", documents), iobes_tags(["Drug", "Disease", "Gene"])
    for i, tag in enumerate(iobes_tags(["Disease", "Drug"])[1:], start=1):
        np.testing.assert_allclose(found[:, i], given[:, tags.index(tag)], atol=1e-6)
    others = given[:, [tags.index(tag) for tag in ("O", "B-Gene", "I-Gene", "E-Gene", "S-Gene")]]
    np.testing.assert_allclose(found[:, 0], others.sum(1), atol=1e-5)


def test_several_teachers_are_averaged_by_weight():
    one, two = tagger(DISEASE, seed=3), tagger({"x": {"labels": ["Disease"]}}, seed=4)
    documents = sentences(TEXTS)
    teachers = Teachers([Teacher(one, 3.0), Teacher(two, 1.0)], {"disease": ("Disease",)})
    found = teachers.marginals(documents, sizes(documents))["disease"]
    wanted = 0.75 * direct(one, "disease", documents) + 0.25 * direct(two, "x", documents)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_head_of_the_same_name_comes_before_others_with_the_label():
    heads = {"a": {"labels": ["Disease"]}, "disease": {"labels": ["Disease"]}}
    model, documents = tagger(heads, seed=5), sentences(TEXTS)
    student = {"disease": ("Disease",), "other": ("Disease",)}
    found = Teachers([Teacher(model)], student).marginals(documents, sizes(documents))
    a, b = direct(model, "a", documents), direct(model, "disease", documents)
    np.testing.assert_allclose(found["disease"], b, atol=1e-5)
    np.testing.assert_allclose(found["other"], (a + b) / 2, atol=1e-5)


def test_heads_of_the_same_corpora_come_before_others_with_the_label():
    heads = {"a": {"labels": ["Disease"]}, "b": {"labels": ["Disease"]}}
    model, documents = tagger(heads, seed=5), sentences(TEXTS)
    teacher = Teacher(model, corpora={"a": ["ner/one"], "b": ["ner/two", "ner/three"]})
    student = {"disease": ("Disease",), "other": ("Disease",)}
    corpora = {"disease": ["ner/three", "mine"], "other": ["mine"]}
    found = Teachers([teacher], student, corpora).marginals(documents, sizes(documents))
    a, b = direct(model, "a", documents), direct(model, "b", documents)
    np.testing.assert_allclose(found["disease"], b, atol=1e-5)
    np.testing.assert_allclose(found["other"], (a + b) / 2, atol=1e-5)


def test_labels_of_one_head_may_come_from_different_teachers():
    one, two = tagger(DISEASE, seed=6), tagger({"drug": {"labels": ["Drug"]}}, seed=7)
    documents = sentences(TEXTS)
    heads = {"both": ("Disease", "Drug"), "gene": ("Gene",)}
    teachers = Teachers([Teacher(one), Teacher(two)], heads)
    assert set(teachers.heads) == {"both"}
    found = teachers.marginals(documents, sizes(documents))["both"]
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert (found >= 0).all()
    alone = direct(one, "disease", documents)[:, 1:], direct(two, "drug", documents)[:, 1:]
    mass = np.maximum(sum(part.sum(1) for part in alone), 1.0)[:, None]
    np.testing.assert_allclose(found[:, 1:5], alone[0] / mass, atol=1e-5)
    np.testing.assert_allclose(found[:, 5:], alone[1] / mass, atol=1e-5)


def test_windows_are_put_together():
    model, documents = tagger(DISEASE, seed=8, window=(12, 5)), sentences(TEXTS * 3)
    found = Teachers([Teacher(model)], {"disease": ("Disease",)}).marginals(documents, sizes(documents))
    wanted = []
    for document in documents:
        for unit in cut(document, size=12, overlap=5):
            window = Document("w", document.text[unit.words[0][0] : unit.words[-1][1]])
            window = window.replace(sentences=(Span(0, len(window.text)),))
            wanted.append(direct(model, "disease", [window])[slice(*unit.owned)])
    assert len(wanted) > len(documents)
    np.testing.assert_allclose(found["disease"], np.concatenate(wanted), atol=1e-5)


def test_no_head_to_teach_is_an_error():
    teachers = [Teacher(tagger(DISEASE, seed=1))]
    with pytest.raises(UsageError, match=r"no head of the student has all its labels .* which are Disease;"):
        Teachers(teachers, {"gene": ("Gene",), "both": ("Disease", "Gene")})

"""Corpora → training examples: what is kept, what is counted, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from medspan import formats
from medspan.config import Recipe, parse_recipe
from medspan.corpora.leaks import keys_of
from medspan.errors import DataError, TrainingError
from medspan.features.batch import Featurizer
from medspan.features.vocab import build_vocab
from medspan.tags import iobes_tags
from medspan.train import data
from medspan.train.data import TrainingCorpus, encode_examples, read_corpora, relabel
from medspan.train.network import Network
from medspan.train.sampler import Feeder
from medspan.train.scorer import to_tensors
from medspan.types import Document, Entity, Relation, Span

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "Grey fever came after zelvorin. Nodular ankylia of the left lung went away within a year."
LEAKED = "Nodular ankylia of the left lung went away within a year."


def entity(number: int, label: str, *parts: str, text: str = TEXT) -> Entity:
    return Entity(f"T{number}", label, tuple(Span(text.index(p), text.index(p) + len(p)) for p in parts))


def document(*entities: Entity) -> Document:
    return Document("d", TEXT, entities)


def recipe_of(
    corpora: dict[str, object] | None = None, heads: dict[str, object] | None = None, **train: object
) -> Recipe:
    return parse_recipe(
        {
            "name": "tiny",
            "encoder": {"kind": "window", "word_width": 4, "char_filters": 2, "hidden_width": 4, "layers": 1},
            "corpora": corpora or {"own": {"source": "own"}},
            "heads": heads or {"disease": {"labels": ["Disease"], "corpora": ["own"]}},
            "train": {"max_misaligned": 0.99, "max_leaked": 0.99, **train},
        },
        "tiny.toml",
    )


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Read a corpus of one training document; `test` names sentences of a registered test split."""

    def run(recipe: Recipe, *documents: Document, test: str = "") -> TrainingCorpus:
        monkeypatch.setattr(data, "registered_keys", lambda: keys_of([Document("t", test)] if test else []))
        folder = tmp_path / "own"
        folder.mkdir(exist_ok=True)
        for split in ("train", "dev"):
            formats.write(documents, folder / f"{split}.jsonl", "jsonl")
        return read_corpora(recipe, tmp_path)[0]

    return run


def test_examples_hold_words_and_chunks(read):
    corpus = read(recipe_of(), document(entity(1, "Disease", "Grey fever"), entity(2, "Drug", "zelvorin")))
    assert [example.forms[:2] for example in corpus.examples] == [["Grey", "fever"], ["Nodular", "ankylia"]]
    assert [example.chunks for example in corpus.examples] == [
        {"disease": [(0, 2, "Disease")]},
        {"disease": []},
    ]
    assert (corpus.counts.sentences, corpus.counts.spans) == (2, 2)
    assert corpus.heads == ("disease",)
    assert corpus.labels == {"Disease"}
    assert len(corpus.dev) == 1


@pytest.mark.parametrize(
    ("entities", "counted"),
    [
        ([entity(2, "Disease", "rey fever")], {"misaligned": 1}),
        ([entity(2, "Disease", "ankyl")], {"misaligned": 1}),
        ([entity(2, "Disease", "zelvorin. Nodular")], {"misaligned": 1}),
        ([entity(2, "Disease", "Nodular", "left lung")], {"discontinuous": 1}),
        ([entity(2, "Disease", "fever")], {"nested": 1}),
        ([entity(2, "Disease", "Grey fever")], {}),
        ([entity(2, "Other", "rey")], {}),
        ([entity(2, "Disease", "ankylia"), entity(3, "Disease", "nkylia")], {"misaligned": 1}),
    ],
)
def test_what_cannot_be_learnt_is_counted(read, entities: list[Entity], counted: dict[str, int]):
    corpus = read(recipe_of(), document(entity(1, "Disease", "Grey fever"), *entities))
    names = ("misaligned", "nested", "discontinuous", "leaked")
    assert {name: getattr(corpus.counts, name) for name in names} == dict.fromkeys(names, 0) | counted
    assert (0, 2, "Disease") in corpus.examples[0].chunks["disease"]


def test_a_label_two_heads_learn_hides_no_misaligned_span(read):
    head = {"labels": ["Disease"], "corpora": ["own"]}
    gold = document(entity(1, "Disease", "Grey fever"), entity(2, "Disease", "ankyl"))
    assert read(recipe_of(heads={"a": head, "b": head}), gold).counts.misaligned == 1


def test_windows_of_a_long_sentence_count_a_span_once(read):
    text = "word " * 90 + "grey fever " + "word " * 90
    gold = Document("d", text, (entity(1, "Disease", "grey fever", text=text),))
    recipe = parse_recipe({**msgspec_builtins(recipe_of()), "window": {"words": 40, "overlap": 12}}, "r")
    corpus = read(recipe, gold)
    assert corpus.counts.misaligned == 0
    assert all(len(example.forms) <= 40 for example in corpus.examples)
    assert any(example.chunks["disease"] for example in corpus.examples)


def msgspec_builtins(recipe: Recipe) -> dict[str, object]:
    import msgspec  # noqa: PLC0415 - one test needs it

    return msgspec.to_builtins(recipe)


def test_of_nested_spans_the_longest_stays(read):
    spans = ("Nodular", "Nodular ankylia", "ankylia of the left lung")
    corpus = read(recipe_of(), document(*(entity(i, "Disease", s) for i, s in enumerate(spans))))
    assert corpus.examples[1].chunks["disease"] == [(1, 6, "Disease"), (0, 1, "Disease")]
    assert corpus.counts.nested == 1


def test_leaked_sentences_are_left_out(read):
    gold = document(entity(1, "Disease", "Grey fever"))
    corpus = read(recipe_of(), gold, test=LEAKED.upper())
    assert [example.forms[0] for example in corpus.examples] == ["Grey"]
    assert (corpus.counts.leaked, corpus.counts.sentences) == (1, 2)
    kept = read(recipe_of(keep_leaks=True), gold, test=LEAKED)
    assert (len(kept.examples), kept.counts.leaked) == (2, 0)


def test_a_leaked_sentence_longer_than_a_window_is_left_out_whole(read):
    long = " ".join(["Fever", *(f"and fever{number}" for number in range(120)), "went away."])
    gold = Document("d", f"{long} Cough stayed.", entities=(Entity("T1", "Disease", (Span(0, 5),)),))
    kept = read(recipe_of(), gold)
    assert len(kept.examples) > 2
    corpus = read(recipe_of(max_leaked=0.99), gold, test=long)
    assert [example.forms for example in corpus.examples] == [["Cough", "stayed", "."]]
    assert corpus.counts.leaked == len(kept.examples) - 1


@pytest.mark.parametrize(
    ("train", "gold", "error", "said"),
    [
        (
            {"max_misaligned": 0.4},
            [entity(1, "Disease", "Grey fever"), entity(2, "Disease", "ankyl")],
            TrainingError,
            r"corpora\.own: 1 of 2 spans are not on word borders; see `medspan check`",
        ),
        (
            {"max_leaked": 0.4},
            [entity(1, "Disease", "Grey fever")],
            TrainingError,
            r"corpora\.own: 1 of 2 training sentences equal .* raise train\.max_leaked",
        ),
        (
            {},
            [entity(1, "Drug", "zelvorin")],
            DataError,
            r"corpora\.own: .* no span labelled Disease; it has: Drug; map them with corpora\.own\.labels",
        ),
        ({}, [], DataError, "it has: none"),
    ],
)
def test_refusals(read, train: dict[str, object], gold: list[Entity], error: type[Exception], said: str):
    with pytest.raises(error, match=said):
        read(recipe_of(**train), document(*gold), test=LEAKED)


def test_a_corpus_that_is_not_there_says_how_to_get_it(tmp_path: Path):
    with pytest.raises(DataError, match="corpus 'own' is not on this machine"):
        read_corpora(recipe_of(), tmp_path)


def test_a_split_may_be_a_file_of_its_own(tmp_path: Path):
    gold = [document(entity(1, "Disease", "Grey fever"))]
    formats.write(gold, tmp_path / "mine.jsonl", "jsonl")
    formats.write([*gold, Document("e", "More.")], tmp_path / "held.jsonl", "jsonl")
    recipe = recipe_of({"own": {"source": "mine.jsonl", "dev": "held.jsonl"}})
    assert [d.id for d in read_corpora(recipe, tmp_path)[0].dev] == ["d", "e"]


def test_relabel_keeps_and_renames_and_drops_relations():
    found = document(entity(1, "cell_type", "lung"), entity(2, "Drug", "zelvorin"))
    found = found.replace(relations=(Relation("R1", "in", "T2", "T1"),))
    (renamed,) = relabel([found], {"cell_type": "Cell"})
    assert [(e.id, e.label) for e in renamed.entities] == [("T1", "Cell")]
    assert renamed.relations == ()
    (same,) = relabel([found], None)
    assert same.entities == found.entities
    assert same.relations == ()
    assert relabel([found], {})[0].entities == ()


def test_tag_ids_follow_the_tags_of_the_head(read):
    recipe = recipe_of(heads={"h": {"labels": ["Drug", "Disease"], "corpora": ["own"]}})
    corpus = read(recipe, document(entity(1, "Disease", "Grey fever"), entity(2, "Drug", "zelvorin")))
    vocab = build_vocab(example.forms for example in corpus.examples)
    featurizer = Featurizer(vocab, ("form_index",), max_chars=4)
    encoded = encode_examples(corpus.examples, featurizer, {"h": ("Drug", "Disease")})
    names = [iobes_tags(["Drug", "Disease"])[tag] for tag in encoded[0].tags["h"]]
    assert names == ["B-Disease", "E-Disease", "O", "O", "S-Drug", "O"]
    assert not np.any(encoded[1].tags["h"])


def test_a_head_learns_nothing_from_a_corpus_that_does_not_annotate_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(data, "registered_keys", frozenset)
    for name, gold in (("a", entity(1, "Disease", "Grey fever")), ("b", entity(1, "Drug", "zelvorin"))):
        formats.write([document(gold)], tmp_path / f"{name}.jsonl", "jsonl")
    recipe = recipe_of(
        {"a": {"source": "a.jsonl"}, "b": {"source": "b.jsonl"}},
        {"x": {"labels": ["Disease"], "corpora": ["a"]}, "y": {"labels": ["Drug"], "corpora": ["b"]}},
    )
    corpora = read_corpora(recipe, tmp_path)
    vocab = build_vocab(example.forms for corpus in corpora for example in corpus.examples)
    network = Network(recipe, vocab)
    featurizer = Featurizer(vocab, network.inputs, max_chars=8)
    heads = {name: head.labels for name, head in recipe.heads.items()}
    batch = Feeder(featurizer, vocab, 0, 0).batch(
        encode_examples(corpora[0].examples, featurizer, heads), seed=1, step=0
    )
    assert set(batch.targets) == {"x"}
    cpu = torch.device("cpu")
    network.loss(to_tensors(batch.arrays, cpu), to_tensors(batch.targets, cpu)).backward()
    learnt = {
        name.rpartition(".")[0].split(".")[1]
        for name, p in network.named_parameters()
        if p.grad is not None and name.startswith("heads.")
    }
    assert learnt == {"x"}
    assert all(p.grad is not None for name, p in network.named_parameters() if name.startswith("encoder."))


def test_a_corpus_may_lack_a_label_where_it_says_so(read):
    """Nobody has found a drug in the text: that is what its head learns."""
    own = {"source": "own", "may_lack": True}
    heads = {"both": {"labels": ["Disease", "Drug"], "corpora": ["own"]}}
    corpus = read(recipe_of({"own": own}, heads), document(entity(1, "Disease", "Grey fever")))
    assert corpus.labels == {"Disease", "Drug"}
    assert corpus.examples[0].chunks == {"both": [(0, 2, "Disease")]}
    with pytest.raises(DataError, match="has no span labelled Drug"):
        read(recipe_of({"own": {"source": "own"}}, heads), document(entity(1, "Disease", "Grey fever")))

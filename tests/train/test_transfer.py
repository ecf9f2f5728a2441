"""Transfer copies an encoder by name, says what it did, and starts training nearer to its end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from medspan.config import TransferConfig, parse_recipe
from medspan.errors import ConfigError, ModelError, TrainingError
from medspan.features.vocab import Vocab, extend_vocab
from medspan.model.spec import CorpusSpec
from medspan.toml import recipe_toml
from medspan.train.loop import Trainer
from medspan.train.network import Network
from medspan.train.optim import Optimizer
from medspan.train.pretrain.subwords import Subwords
from medspan.train.prune import prune_words
from medspan.train.transfer import (
    WORDS,
    Donor,
    Transferred,
    find_donor,
    licence_of,
    open_donor,
    rate_factors,
    transfer,
)
from tiny_training import Silent, exported, lively_network, tiny_corpus, tiny_recipe

SPEC = CorpusSpec("donor", "CC0", {"weights": "0" * 64})


def donor_of(kind: str, subwords: Subwords | None = None) -> Donor:
    """A donor that lacks half the words of the corpus and knows others."""
    recipe = tiny_recipe(kind)
    network, featurizer = lively_network(recipe, tiny_corpus(recipe, size=10))
    return Donor(SPEC, featurizer.vocab, network.state_dict(), (), subwords)


def test_an_extended_vocabulary_keeps_the_places_of_the_first():
    known, own = Vocab(("a", "b"), (9, 4), ("x",)), Vocab(("b", "c"), (3, 2), ("y", "x"))
    assert extend_vocab(known, own) == Vocab(("a", "b", "c"), (9, 7, 2), ("x", "y"))


@pytest.mark.parametrize("kind", ["blstm_cnn", "char_blstm", "window", "cnn"])
def test_a_network_has_the_states_of_its_donor(kind: str):
    """On words and characters the donor knows, the encoder gives the donor's states."""
    recipe = tiny_recipe(kind)
    small, large = tiny_corpus(recipe, size=10), tiny_corpus(recipe)
    old, featurizer = lively_network(recipe, small)
    donor = Donor(SPEC, featurizer.vocab, old.state_dict(), ())
    own = lively_network(recipe, large)[1].vocab
    vocab = extend_vocab(donor.vocab, own)
    network = Network(recipe, vocab).eval()
    done = transfer(network, donor, vocab)
    assert done.new == ()
    assert done.mis_shaped == ()
    assert all(name.startswith("heads.") for name in done.left_over)
    arrays = featurizer.arrays([featurizer.encode(example.forms) for example in small.examples[:5]])
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    for a, b in zip(old.encoder(batch), network.encoder(batch), strict=True):
        assert torch.equal(a, b)


def test_new_words_start_from_their_n_grams():
    rng = np.random.default_rng(1)
    subwords = Subwords(rng.normal(size=(50, 12)).astype(np.float32), (3, 4))
    donor = donor_of("blstm_cnn", subwords)
    vocab = extend_vocab(donor.vocab, Vocab(("zyx", "q"), (1, 1), ()))
    network = Network(tiny_recipe("blstm_cnn"), vocab)
    done = transfer(network, donor, vocab)
    assert (done.new_words, done.from_subwords) == (2, 2)
    expected, _ = subwords.vectors(["zyx"])
    np.testing.assert_allclose(network.state_dict()[WORDS][-2].numpy(), expected[0], rtol=1e-6)
    without = transfer(Network(tiny_recipe("blstm_cnn"), vocab), donor._replace(subwords=None), vocab)
    assert (without.new_words, without.from_subwords) == (2, 0)


def test_what_does_not_fit_is_said_and_left():
    donor = donor_of("blstm_cnn")
    name = "encoder.directions.forward_layers.0.weight_hh_l0"
    donor.tensors[name] = torch.zeros(3, 3)
    donor.tensors["encoder.extra"] = torch.zeros(1)
    del donor.tensors["encoder.features.case.weight"]
    done = transfer(Network(tiny_recipe("blstm_cnn"), donor.vocab), donor, donor.vocab)
    assert done.mis_shaped == (name,)
    assert "encoder.extra" in done.left_over
    assert done.new == ("encoder.features.case.weight",)
    assert any("mis-shaped: " + name in line for line in done.lines())
    with pytest.raises(TrainingError, match="no tensor of donor fits"):
        transfer(Network(tiny_recipe("char_blstm"), donor.vocab), donor._replace(tensors={}), donor.vocab)


def test_layers_unfreeze_from_the_top():
    names = (WORDS, "encoder.features.filters.0.weight", "encoder.directions.forward_layers.0.x",
             "encoder.directions.forward_layers.1.x")  # fmt: skip
    done = Transferred("d", names, (), (), ())
    config = TransferConfig(source="d", encoder_rate=0.5, word_rate=0.1, freeze_epochs=2)
    rates = [[rate_factors(config, done, epoch)[name] for name in names] for epoch in (0, 1, 2, 4, 6)]
    zero, half = 0.0, 0.5
    assert rates == [
        [zero] * 4,
        [zero] * 4,
        [zero, zero, zero, half],
        [zero, zero, half, half],
        [pytest.approx(0.05), half, half, half],
    ]


def test_a_factor_of_zero_keeps_a_tensor_and_one_changes_nothing():
    recipe = tiny_recipe("blstm_cnn", weight_decay=0.1)
    corpus = tiny_corpus(recipe)

    def weights(factors: dict[str, float] | None) -> dict[str, torch.Tensor]:
        network, featurizer = lively_network(recipe, corpus)
        optimizer = Optimizer(network, recipe.train, factors or ())
        arrays = featurizer.arrays([featurizer.encode(corpus.examples[0].forms)])
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        sum(value.sum() for value in network(batch).values()).backward()
        optimizer.step(0.01, factors)
        return {name: value.detach().clone() for name, value in network.named_parameters()}

    before = dict(lively_network(recipe, corpus)[0].named_parameters())
    plain = weights(None)
    name = "encoder.directions.forward_layers.0.weight_hh_l0"
    frozen = weights({WORDS: 0.0, name: 0.0})
    assert torch.equal(frozen[WORDS], before[WORDS])
    assert torch.equal(frozen[name], before[name])
    assert not torch.equal(plain[WORDS], before[WORDS])
    same = weights({WORDS: 1.0, name: 1.0})
    assert all(torch.equal(plain[key], same[key]) for key in plain)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_model_starts_another(tmp_path: Path, keeps: bool):  # noqa: FBT001 - pytest calls it
    recipe = tiny_recipe("blstm_cnn", epochs=2)
    recipe = msgspec.structs.replace(
        recipe, export=msgspec.structs.replace(recipe.export, keep_weights=keeps)
    )
    corpus = tiny_corpus(recipe)
    exported(recipe, corpus).save(tmp_path / "model", {}, "card")
    donor = open_donor(tmp_path / "model")
    started = msgspec.structs.replace(recipe, transfer=TransferConfig(source="model", freeze_epochs=1))
    runs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        trainer = Trainer(started, [corpus], tmp_path / name, torch.device("cpu"), donor=donor)
        trainer.run(Silent())
        runs.append(trainer)
    assert trainer.transferred is not None
    assert trainer.transferred.left_over  # the old heads
    states = [run.network.state_dict() for run in runs]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_recipe_says_where_it_starts():
    recipe = tiny_recipe("blstm_cnn")
    raw = msgspec.to_builtins(recipe)
    raw["transfer"] = {"from": "there", "word_rate": 0.5}
    parsed = parse_recipe(raw, "t.toml")
    assert parsed.transfer == TransferConfig(source="there", word_rate=0.5)
    assert 'from = "there"' in recipe_toml(parsed)
    raw["transfer"] = {"form": "there"}
    with pytest.raises(ConfigError, match=r"transfer\.form: unknown key; did you mean from"):
        parse_recipe(raw, "t.toml")
    raw["transfer"] = {"from": 3}
    with pytest.raises(ConfigError, match=r"transfer\.from: expected `str`"):
        parse_recipe(raw, "t.toml")


def test_a_start_is_a_folder_or_what_is_shipped(tmp_path: Path):
    recipe = msgspec.structs.replace(tiny_recipe("blstm_cnn"), transfer=TransferConfig(source="bilm-bio"))
    found, donor = find_donor(recipe, tmp_path, None)
    assert found == recipe
    assert donor is not None
    assert donor.spec.name == "bilm-bio"
    assert donor.tensors[WORDS].shape == (donor.vocab.n_words, 100)
    assert (
        find_donor(msgspec.structs.replace(recipe, transfer=None), tmp_path, Path("bilm-bio"))[1] is not None
    )
    # A folder beside the recipe comes first, and this one is none to start from.
    (tmp_path / "bilm-bio").mkdir()
    with pytest.raises(ModelError, match="is not a model"):
        find_donor(recipe, tmp_path, None)
    with pytest.raises(ModelError, match=r"nothing to start from: .*did you mean bilm-bio"):
        find_donor(recipe, tmp_path, Path("bilm-boi"))


@pytest.mark.parametrize(
    ("stated", "of_start", "expected"),
    [
        ("Apache-2.0", "CC-BY-SA-4.0", "CC-BY-SA-4.0"),
        ("Apache-2.0", "CC BY-SA 4.0", "CC BY-SA 4.0"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0", "CC BY-SA 4.0"),
        ("Apache-2.0", "CC-BY-4.0", "Apache-2.0"),
        ("Apache-2.0", None, "Apache-2.0"),
    ],
)
def test_share_alike_passes_on(stated: str, of_start: str | None, expected: str):
    donor = donor_of("blstm_cnn")
    donor = donor._replace(spec=CorpusSpec("start", of_start)) if of_start else None
    assert licence_of(stated, donor) == expected


def test_pruning_keeps_the_words_of_training_and_the_frequent_ones():
    recipe = tiny_recipe("blstm_cnn")
    corpus = tiny_corpus(recipe)
    donor = donor_of("blstm_cnn")
    words, counts = ("rare", "often", "fever", "common"), (1, 50, 2, 40)
    vocab = Vocab(words, counts, donor.vocab.characters)
    network = Network(recipe, vocab)
    rows = network.state_dict()[WORDS].clone()
    left = prune_words(network, vocab, ["Fever"], most=3)
    assert left.words == ("often", "fever", "common")
    assert left.counts == (50, 2, 40)
    assert torch.equal(network.state_dict()[WORDS], rows[[0, 1, 3, 4, 5]])
    assert prune_words(network, left, [], most=3) == left
    assert len(prune_words(network, left, corpus.examples[0].forms, most=1).words) >= 1
    char = tiny_recipe("char_blstm")
    assert prune_words(Network(char, vocab), vocab, [], most=1) == vocab


def test_words_are_hidden_by_how_often_the_training_text_has_them(tmp_path: Path) -> None:
    recipe = tiny_recipe("blstm_cnn", word_dropout=1.0)
    corpus = tiny_corpus(recipe, size=10)
    donor = donor_of("blstm_cnn")
    known = donor._replace(
        vocab=Vocab(donor.vocab.words, (10**9,) * len(donor.vocab.words), donor.vocab.characters)
    )
    trainer = Trainer(recipe, [corpus], tmp_path, torch.device("cpu"), donor=known)
    counts = Counter(trainer.vocab.word_id(form) for example in corpus.examples for form in example.forms)
    for word_id, count in counts.items():
        assert trainer.feeders[0]._hidden[word_id] == pytest.approx(1 / (1 + count))


def test_what_other_heads_learn_from_does_not_count(tmp_path: Path) -> None:
    recipe = tiny_recipe("blstm_cnn", word_dropout=1.0)
    corpus = tiny_corpus(recipe, size=10)
    heads = recipe.heads
    apart = {"drug": msgspec.structs.replace(heads["drug"], corpora=("other",))}
    two = msgspec.structs.replace(
        recipe, corpora={**recipe.corpora, "other": recipe.corpora[corpus.name]}, heads={**heads, **apart}
    )
    parts = [
        msgspec.structs.replace(
            corpus,
            name=name,
            heads=(head,),
            examples=[each._replace(chunks={head: each.chunks[head]}) for each in corpus.examples],
        )
        for name, head in {corpus.name: "disease", "other": "drug"}.items()
    ]
    alone = Trainer(recipe, [corpus], tmp_path / "alone", torch.device("cpu"))
    both = Trainer(two, parts, tmp_path / "both", torch.device("cpu"))
    for feeder in both.feeders:
        assert np.array_equal(feeder._hidden, alone.feeders[0]._hidden)


def test_of_many_names_the_first_are_shown():
    names = tuple(f"heads.{number}.emit" for number in range(14))
    done = Transferred("d", ("a",), (), names, ())
    assert done.lines()[0] == "transfer from d: 1 loaded, 0 new, 14 left over, 0 mis-shaped"
    assert done.lines()[1].endswith("heads.11.emit and 2 more")

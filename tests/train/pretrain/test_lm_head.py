"""The head of a language model: what each direction sees and predicts, and its two softmaxes."""

from __future__ import annotations

import pytest
import torch

from medspan.features.batch import Featurizer
from medspan.features.vocab import build_vocab
from medspan.toml import convert
from medspan.train.heads.lm import BORDER, LmHead, directions
from medspan.train.pretrain.lm import LanguageModel
from medspan.train.pretrain.settings import LmRecipe
from tiny_training import SIZES

SENTENCES = ["The dry lung was seen .", "No lung , no fever"]


def tiny_lm(kind: str, **pretrain: object) -> LmRecipe:
    raw = {"name": "t", "encoder": {"kind": kind, **SIZES[kind]}, "text": {}, "pretrain": pretrain}
    return convert(raw, LmRecipe, "t.toml")


def test_targets_are_the_neighbours_and_the_borders():
    ids = torch.tensor([[5, 6, 7], [8, 0, 0]])
    level = torch.arange(12.0).view(2, 3, 2)  # a width of one in each direction
    forward, backward = directions(level, ids, torch.tensor([3, 1]))
    assert forward.targets.tolist() == [6, 7, BORDER, BORDER]
    assert backward.targets.tolist() == [BORDER, 5, 6, BORDER]
    assert forward.states[:, 0].tolist() == [0.0, 2.0, 4.0, 6.0]
    assert backward.states[:, 0].tolist() == [1.0, 3.0, 5.0, 7.0]


@pytest.mark.parametrize("kind", ["blstm_cnn", "char_blstm"])
def test_no_direction_sees_what_it_predicts(kind: str):
    """Change a word to the right: no forward score moves. Change one to the left: no backward score does."""
    torch.manual_seed(3)
    recipe = tiny_lm(kind)
    vocab = build_vocab([sentence.split() for sentence in SENTENCES], min_char_count=1)
    size = vocab.n_characters if kind == "char_blstm" else vocab.n_words
    network = LanguageModel(recipe, vocab, [1] * size).eval()
    featurizer = Featurizer(vocab, network.inputs, max_chars=recipe.encoder.max_chars)

    def states(words: list[str]) -> torch.Tensor:
        arrays = featurizer.arrays([featurizer.encode(words)])
        level, _ = network({name: torch.from_numpy(array) for name, array in arrays.items()})
        return level[0]

    left, middle, right = ["The", "dry"], ["fever"], ["was", "seen", "."]
    other = ["lungs"]  # as long as the word it stands for
    before, after = states([*left, *middle, *right]), states([*left, *other, *right])
    is_char = kind == "char_blstm"
    first = len("The dry ") if is_char else 2
    stop = first + (len("fever") if is_char else 1)
    half = recipe.encoder.hidden_width
    assert torch.equal(before[:first, :half], after[:first, :half])
    assert torch.equal(before[stop:, half:], after[stop:, half:])
    assert not torch.equal(before[stop:, :half], after[stop:, :half])
    assert not torch.equal(before[:first, half:], after[:first, half:])


def test_with_every_word_drawn_the_sampled_loss_is_the_full_one():
    torch.manual_seed(0)
    counts = [3, 1, 9, 4, 2, 6]
    sampled = LmHead(4, counts, negatives=5, dropout=0.0)
    sampled.negatives = 4000  # all are drawn, with a chance of about one
    full = LmHead(4, counts, negatives=0, dropout=0.0)
    full.load_state_dict(sampled.state_dict())
    level, ids = torch.randn(2, 3, 8), torch.tensor([[2, 3, 5], [4, 2, 0]])
    lengths = torch.tensor([3, 2])
    torch.testing.assert_close(sampled.loss(level, ids, lengths), full.loss(level, ids, lengths))


def test_the_sampled_loss_leads_to_the_distribution_of_the_words():
    """States that say nothing: the biases learn how often each word is, though few are told apart at once."""
    torch.manual_seed(1)
    often = torch.tensor([0.0, *(1.0 / (i + 1) for i in range(60))])
    counts = [1000, *(often[1:] / often.sum() * 31000).int().tolist()]  # a border a sentence of 31 words
    head = LmHead(2, counts, negatives=8, dropout=0.0)
    optimizer = torch.optim.SparseAdam(list(head.parameters()), lr=0.1)
    rows, words, steps = 4, 31, 800
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / steps) + 1e-4
        ids = torch.multinomial(often, rows * words, replacement=True).view(rows, words)
        loss = head.loss(torch.zeros(rows, words, 4), ids, torch.full((rows,), words))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    wanted = torch.tensor(counts) / sum(counts)
    learnt = head.logits(torch.zeros(1, 2))[0].softmax(0)
    assert (wanted * (wanted / learnt).log()).sum() < 0.05


def test_perplexity_counts_each_direction_by_itself():
    head = LmHead(2, [1, 1, 1, 1], negatives=0, dropout=0.0)
    with torch.no_grad():
        head.output.weight.zero_()
        head.bias.weight.zero_()
    costs = head.cost(torch.randn(1, 3, 4), torch.tensor([[1, 2, 3]]), torch.tensor([3]))
    torch.testing.assert_close(torch.exp(costs / 3), torch.full((2,), 4.0, dtype=torch.float64))


@pytest.mark.parametrize("negatives", [0, 2])
def test_a_fresh_head_knows_how_often_each_word_is(negatives: int):
    """Else the states learn it, and saturate: 0.64 of them did after 700,000 words, and transfer harmed."""
    head = LmHead(3, [5, 1, 0, 4], negatives=negatives, dropout=0.0)
    expected = torch.tensor([5, 1, 1, 4]) / 11  # what was never seen counts as one
    torch.testing.assert_close(head.logits(torch.zeros(1, 3))[0].softmax(0), expected)

"""The log-partition and its gradient against enumeration, and agreement with the decoder."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medspan.model.marginals import tag_marginals
from medspan.model.viterbi import TagDecoder
from medspan.tags import encode, iobes_tags, may_end, may_follow, may_start
from medspan.train.crf import Crf, _LogPartition, _path_score, soft_losses

TAGS = tuple(iobes_tags(["A"]))
Scores = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def random_scores(seed: int, tags: int = 5) -> Scores:
    draw = torch.Generator().manual_seed(seed)
    shapes = ((tags, tags), (tags,), (tags,))
    return tuple(torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes)  # type: ignore[return-value]


def random_crf(seed: int) -> Crf:
    crf = Crf(TAGS)
    with torch.no_grad():
        for parameter, values in zip((crf.transitions, crf.start, crf.end), random_scores(seed), strict=True):
            parameter.copy_(values)
    return crf


def enumerated(emissions: torch.Tensor, scores: Scores, *, legal: bool = False) -> torch.Tensor:
    """Log of the summed scores of every path of one row; emissions (words, tags)."""
    transitions, start, end = scores
    totals = []
    for path in product(range(emissions.shape[1]), repeat=len(emissions)):
        names = [TAGS[tag] for tag in path]
        if legal and not is_legal(names):
            continue
        total = start[path[0]] + end[path[-1]] + sum(emissions[t, tag] for t, tag in enumerate(path))
        totals.append(total + sum(transitions[a, b] for a, b in pairwise(path)))
    return torch.logsumexp(torch.stack(totals), 0)


def is_legal(names: list[str]) -> bool:
    follows = all(may_follow(a, b) for a, b in pairwise(names))
    return may_start(names[0]) and may_end(names[-1]) and follows


def mask_of(lengths: list[int]) -> torch.Tensor:
    """Bool (words, batch)."""
    return torch.arange(max(lengths))[:, None] < torch.tensor(lengths)


@pytest.mark.parametrize("lengths", [[1], [2], [4], [3, 1, 2], [1, 4]])
def test_log_partition_equals_enumeration(lengths: list[int]):
    scores = random_scores(len(lengths))
    emissions = 3 * torch.randn(max(lengths), len(lengths), 5, dtype=torch.float64)
    found = _LogPartition.apply(emissions, *scores, mask_of(lengths))
    for row, length in enumerate(lengths):
        torch.testing.assert_close(found[row], enumerated(emissions[:length, row], scores))


@pytest.mark.parametrize("lengths", [[1], [3], [4, 2, 1]])
def test_gradient_equals_autograd_through_enumeration(lengths: list[int]):
    inputs = [torch.randn(max(lengths), len(lengths), 5, dtype=torch.float64), *random_scores(7)]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    weights = torch.arange(1.0, len(lengths) + 1, dtype=torch.float64)
    found = torch.autograd.grad((_LogPartition.apply(*inputs, mask_of(lengths)) * weights).sum(), inputs)
    rows = [enumerated(inputs[0][:n, i], tuple(inputs[1:])) for i, n in enumerate(lengths)]
    total = (torch.stack(rows) * weights).sum()
    expected = torch.autograd.grad(total, inputs, allow_unused=True, materialize_grads=True)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("lengths", [[1], [4, 1, 3]])
def test_gradcheck(lengths: list[int]):
    emissions = torch.randn(max(lengths), len(lengths), 3, dtype=torch.float64, requires_grad=True)
    scores = [tensor.requires_grad_() for tensor in random_scores(11, tags=3)]
    mask = mask_of(lengths)
    assert torch.autograd.gradcheck(lambda *inputs: _LogPartition.apply(*inputs, mask), (emissions, *scores))


def test_illegal_paths_have_no_share_and_no_gradient():
    crf = random_crf(3)
    emissions = torch.randn(1, 4, 5)
    tags = torch.tensor([[TAGS.index(name) for name in ("O", "B-A", "E-A", "S-A")]])
    loss = crf.loss(emissions, tags, torch.tensor([4]))
    transitions, start, end = (part.double() for part in crf.scores())
    log_z = enumerated(emissions[0].double(), (transitions, start, end), legal=True)
    gold = _path_score(
        emissions.double(), tags, torch.ones(1, 4, dtype=torch.bool), (transitions, start, end)
    )
    assert loss.item() == pytest.approx((log_z - gold[0]).item(), abs=1e-4)
    loss.backward()
    assert not crf.transitions.grad[~crf.legal].any()
    assert not crf.start.grad[~crf.legal_start].any()
    assert not crf.end.grad[~crf.legal_end].any()
    assert crf.transitions.grad[crf.legal].any()


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**31),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    pad=st.integers(0, 3),
)
def test_padding_and_neighbours_change_nothing(seed: int, lengths: list[int], pad: int):
    crf, words = random_crf(seed % 1000), max(lengths) + pad
    draw = torch.Generator().manual_seed(seed)
    emissions = torch.randn(len(lengths), words, 5, generator=draw)
    tags = torch.randint(0, 5, (len(lengths), words), generator=draw)
    emissions.requires_grad_()
    together = crf.loss(emissions, tags, torch.tensor(lengths))
    (grad,) = torch.autograd.grad(together, emissions)
    alone = [
        crf.loss(emissions[i : i + 1, :n], tags[i : i + 1, :n], torch.tensor([n]))
        for i, n in enumerate(lengths)
    ]
    torch.testing.assert_close(together, sum(alone), rtol=1e-5, atol=1e-3)
    for i, n in enumerate(lengths):
        assert not grad[i, n:].any()


@settings(max_examples=50)
@given(seed=st.integers(0, 2**31), words=st.integers(1, 5), scale=st.sampled_from([0.1, 1.0, 6.0]))
def test_the_decoder_finds_the_path_with_the_highest_score_of_the_crf(seed: int, words: int, scale: float):
    crf = random_crf(seed % 1000)
    emissions = scale * torch.randn(1, words, 5, generator=torch.Generator().manual_seed(seed))
    parts = {name: getattr(crf, name).detach().numpy() for name in ("transitions", "start", "end")}
    decoder = TagDecoder(TAGS, parts["transitions"], parts["start"], end=parts["end"])
    chunks = decoder.decode(emissions.numpy(), np.array([words]))[0]
    best = encode([chunk[:3] for chunk in chunks], words)
    paths = [path for path in product(range(5), repeat=words) if is_legal([TAGS[tag] for tag in path])]
    rows = torch.tensor([[TAGS.index(name) for name in best], *paths])
    with torch.no_grad():
        scored = _path_score(
            emissions.expand(len(rows), -1, -1), rows, torch.ones_like(rows, dtype=torch.bool), crf.scores()
        )
        loss = crf.loss(emissions, rows[:1], torch.tensor([words]))
    assert scored[0] >= scored.max() - 1e-4
    assert loss >= -1e-4


def test_heads_run_together_as_they_do_apart():
    lengths = [4, 1, 3]
    heads = [random_scores(seed) for seed in (1, 2)]
    emissions = torch.randn(4, 2, 3, 5, dtype=torch.float64)  # words, heads, batch, tags
    apart, together = [], []
    for i, scores in enumerate(heads):
        inputs = [tensor.clone().requires_grad_() for tensor in (emissions[:, i], *scores)]
        log_z = _LogPartition.apply(*inputs, mask_of(lengths))
        apart.append([log_z, *torch.autograd.grad(log_z.sum(), inputs)])
    stacked = [torch.stack(parts) for parts in zip(*heads, strict=True)]
    inputs = [emissions.clone(), stacked[0], stacked[1][:, None], stacked[2][:, None]]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    log_z = _LogPartition.apply(*inputs, mask_of(lengths))
    found = [log_z, *torch.autograd.grad(log_z.sum(), inputs)]
    for i, parts in enumerate(apart):
        together = [found[0][i], found[1][:, i], found[2][i], found[3][i, 0], found[4][i, 0]]
        for mine, theirs in zip(together, parts, strict=True):
            torch.testing.assert_close(mine, theirs)


def decoder_of(crf: Crf) -> TagDecoder:
    parts = {name: getattr(crf, name).detach().numpy() for name in ("transitions", "start", "end")}
    return TagDecoder(TAGS, parts["transitions"], parts["start"], end=parts["end"])


def soft_gradients(
    crf: Crf, emissions: torch.Tensor, marginals: torch.Tensor, lengths: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Of the soft loss, by emissions, start and end."""
    emissions = emissions.clone().requires_grad_()
    loss = soft_losses([crf], [emissions], [marginals], lengths)
    return torch.autograd.grad(loss, [emissions, crf.start, crf.end])


def test_the_soft_loss_pulls_towards_the_teachers_marginals():
    student, lengths = random_crf(4), torch.tensor([5, 1, 3])
    own, others = torch.randn(3, 5, 5), torch.randn(3, 5, 5)
    mine = torch.from_numpy(tag_marginals(decoder_of(student), own.numpy(), lengths.numpy()))
    theirs = torch.from_numpy(tag_marginals(decoder_of(random_crf(5)), others.numpy(), lengths.numpy()))
    by_emissions, by_start, by_end = soft_gradients(student, own, theirs, lengths)
    torch.testing.assert_close(by_emissions, mine - theirs, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(by_start, (mine - theirs)[:, 0].sum(0), atol=1e-5, rtol=1e-4)
    ends = sum((mine - theirs)[i, n - 1] for i, n in enumerate(lengths))
    torch.testing.assert_close(by_end, ends, atol=1e-5, rtol=1e-4)
    for gradient in soft_gradients(student, own, mine, lengths):
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-5, rtol=0)


def test_gold_tags_are_the_marginals_of_a_sure_teacher():
    crf, lengths = random_crf(6), torch.tensor([4, 2])
    emissions = torch.randn(2, 4, 5, requires_grad=True)
    tags = torch.tensor([[1, 2, 3, 0], [4, 0, 0, 0]])
    (gold,) = torch.autograd.grad(crf.loss(emissions, tags, lengths), [emissions])
    marginals = torch.nn.functional.one_hot(tags, 5).half()
    marginals[1, 2:] = 0
    soft, _, _ = soft_gradients(crf, emissions.detach(), marginals, lengths)
    torch.testing.assert_close(soft, gold, atol=1e-5, rtol=1e-4)


def test_transitions_learn_nothing_from_a_teacher():
    crf = random_crf(7)
    loss = soft_losses([crf], [torch.randn(1, 3, 5)], [torch.full((1, 3, 5), 0.2)], torch.tensor([3]))
    loss.backward()
    assert crf.transitions.grad is None or not crf.transitions.grad.any()

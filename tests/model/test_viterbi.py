"""The decoder against brute force, and against itself in other company."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import ModelError
from medspan.model.viterbi import (
    TEMPERATURES,
    HeadChunk,
    ScoredChunk,
    TagDecoder,
    decode_heads,
    fit_temperature,
)
from medspan.tags import decode as chunks_of_tags
from medspan.tags import iobes_tags, may_end, may_follow, may_start

LABELS = ("Disease", "Chemical")


def random_decoder(
    rng: np.random.Generator, labels: int = 1, scale: float = 1.0, temperature: float = 1.0
) -> TagDecoder:
    tags = iobes_tags(LABELS[:labels])
    n = len(tags)
    return TagDecoder(
        tags,
        rng.normal(0, scale, (n, n)).astype(np.float32),
        rng.normal(0, scale, n).astype(np.float32),
        end=rng.normal(0, scale, n).astype(np.float32),
        temperature=temperature,
    )


def legal_paths(tags: tuple[str, ...], length: int) -> list[tuple[int, ...]]:
    return [
        path
        for path in product(range(len(tags)), repeat=length)
        if may_start(tags[path[0]])
        and may_end(tags[path[-1]])
        and all(may_follow(tags[a], tags[b]) for a, b in pairwise(path))
    ]


def path_score(decoder: TagDecoder, emissions: np.ndarray, path: tuple[int, ...]) -> float:
    return float(
        decoder.start[path[0]]
        + decoder.end[path[-1]]
        + sum(float(emissions[word, tag]) for word, tag in enumerate(path))
        + sum(decoder.transitions[a, b] for a, b in pairwise(path))
    )


def brute_force(decoder: TagDecoder, emissions: np.ndarray) -> list[tuple[int, int, str, float]]:
    """Best path by enumeration; chunk probability = share of paths whose tags agree at the chunk's words."""
    paths = legal_paths(decoder.tags, len(emissions))
    scores = np.array([path_score(decoder, emissions, path) for path in paths])
    best = paths[int(scores.argmax())]
    weights = np.exp((scores - scores.max()) / decoder.temperature)
    found = []
    for first, stop, label in chunks_of_tags([decoder.tags[tag] for tag in best]):
        agree = [path[first:stop] == best[first:stop] for path in paths]
        found.append((first, stop, label, float(weights[agree].sum() / weights.sum())))
    return found


@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 5),
    scale=st.sampled_from([0.1, 1.0, 5.0]),
    temperature=st.sampled_from([0.3, 1.0, 2.5]),
)
def test_equals_brute_force(seed: int, length: int, scale: float, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    decoder = random_decoder(rng, scale=scale, temperature=temperature)
    emissions = rng.normal(0, scale, (1, length, 5)).astype(np.float32)
    got = decoder.decode(emissions, np.array([length]))[0]
    expected = brute_force(decoder, emissions[0])
    assert [chunk[:3] for chunk in got] == [chunk[:3] for chunk in expected]
    assert [chunk[3] for chunk in got] == pytest.approx([chunk[3] for chunk in expected], abs=1e-9)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_equals_brute_force_with_two_labels(length: int) -> None:
    rng = np.random.default_rng(length)
    decoder = random_decoder(rng, labels=2)
    emissions = rng.normal(0, 2, (6, length, 9)).astype(np.float32)
    for row, got in enumerate(decoder.decode(emissions, np.full(6, length))):
        expected = brute_force(decoder, emissions[row])
        assert [chunk[:3] for chunk in got] == [chunk[:3] for chunk in expected]
        assert [chunk[3] for chunk in got] == pytest.approx([chunk[3] for chunk in expected], abs=1e-9)


def by_head_and_row(chunks: list[HeadChunk], heads: int, rows: int) -> list[list[list[ScoredChunk]]]:
    found: list[list[list[ScoredChunk]]] = [[[] for _ in range(rows)] for _ in range(heads)]
    for chunk in chunks:
        found[chunk.head][chunk.row].append(chunk[2:])
    return found


@given(
    seed=st.integers(0, 2**32 - 1), batch=st.integers(1, 9), words=st.integers(1, 20), pad=st.integers(0, 5)
)
def test_same_bits_alone_padded_and_reordered(seed: int, batch: int, words: int, pad: int) -> None:
    rng = np.random.default_rng(seed)
    decoders = [random_decoder(rng), random_decoder(rng, temperature=1.7), random_decoder(rng, labels=2)]
    lengths = rng.integers(0, words + 1, batch)
    emissions = [
        rng.normal(0, 2, (batch, words + pad, len(decoder.tags))).astype(np.float32) for decoder in decoders
    ]
    for array in emissions:  # padding is whatever the graph left there
        for row, length in enumerate(lengths):
            array[row, length:] = rng.choice([np.nan, np.inf, -np.inf, 1e30, 0])
    together = by_head_and_row(decode_heads(decoders, emissions, lengths), len(decoders), batch)
    order = rng.permutation(batch)
    again = decode_heads(decoders, [array[order] for array in emissions], lengths[order])
    shuffled = by_head_and_row(again, len(decoders), batch)
    for head, decoder in enumerate(decoders):
        alone = [
            decoder.decode(emissions[head][row : row + 1, : max(length, 1)], lengths[row : row + 1])[0]
            for row, length in enumerate(lengths)
        ]
        assert together[head] == alone
        assert [shuffled[head][int(place)] for place in np.argsort(order)] == alone


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 5), lead=st.floats(0, 8))
def test_skip_is_sound(seed: int, length: int, lead: float) -> None:
    """Where the bound says that all-O is best, no legal path scores higher."""
    rng = np.random.default_rng(seed)
    decoder = random_decoder(rng)
    emissions = rng.normal(0, 1, (1, length, 5)).astype(np.float32)
    emissions[..., 0] += np.float32(lead)
    if decoder.may_have_chunks(emissions, np.array([length]))[0]:
        return
    outside = path_score(decoder, emissions[0], (0,) * length)
    others = [path for path in legal_paths(decoder.tags, length) if any(path)]
    assert all(path_score(decoder, emissions[0], path) < outside for path in others)


def test_skip_happens_where_outside_leads() -> None:
    decoder = random_decoder(np.random.default_rng(0))
    emissions = np.zeros((3, 7, 5), np.float32)
    emissions[..., 0] = 20
    emissions[1, 4, 4] = 30
    assert decoder.may_have_chunks(emissions, np.array([7, 7, 7])).tolist() == [False, True, False]
    assert decoder.may_have_chunks(emissions, np.array([7, 4, 7])).tolist() == [False, False, False]


def test_no_emission_is_large_enough_for_an_illegal_path() -> None:
    decoder = TagDecoder(iobes_tags(["X"]))
    emissions = np.zeros((1, 3, 5), np.float32)
    emissions[0, :, 2] = 1e30  # I I I can neither start nor end
    assert [chunk[:3] for chunk in decoder.decode(emissions, np.array([3]))[0]] == [(0, 3, "X")]


def test_long_rows_keep_finite_scores() -> None:
    rng = np.random.default_rng(1)
    decoder = random_decoder(rng, labels=2)
    emissions = rng.normal(0, 30, (2, 5000, 9)).astype(np.float32)
    scores = [chunk[3] for row in decoder.decode(emissions, np.array([5000, 4000])) for chunk in row]
    assert scores
    assert all(0 <= score <= 1 for score in scores)
    assert max(scores) > 0.99


def test_temperature_changes_scores_and_not_chunks() -> None:
    rng = np.random.default_rng(2)
    decoder = random_decoder(rng)
    emissions = rng.normal(0, 3, (8, 12, 5)).astype(np.float32)
    lengths = np.full(8, 12)
    sharp, flat = decoder.decode(emissions, lengths), decoder.with_temperature(5.0).decode(emissions, lengths)
    assert [[chunk[:3] for chunk in row] for row in sharp] == [[chunk[:3] for chunk in row] for row in flat]
    assert np.mean([chunk[3] for row in flat for chunk in row]) < np.mean(
        [c[3] for row in sharp for c in row]
    )


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (3, 0), (2, 3)])
def test_empty_batches_and_rows(shape: tuple[int, int]) -> None:
    decoder = TagDecoder(iobes_tags(["X"]))
    lengths = np.zeros(shape[0], np.int64)
    assert decoder.decode(np.zeros((*shape, 5), np.float32), lengths) == [[] for _ in range(shape[0])]


def test_head_without_labels_finds_nothing() -> None:
    assert TagDecoder(["O"]).decode(np.ones((2, 3, 1), np.float32), np.array([3, 1])) == [[], []]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tags": ["O", "B-X", "I-X"]}, "must be O, then"),
        ({"tags": []}, "must be O, then"),
        ({"transitions": np.zeros((4, 5))}, r"transitions has shape \(4, 5\); \(5, 5\) fits"),
        ({"start": np.zeros(4)}, "start has shape"),
        ({"end": np.full(5, np.nan)}, "end holds values that are not finite"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": math.nan}, "temperature is nan"),
    ],
)
def test_bad_parameters_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        TagDecoder(**{"tags": iobes_tags(["X"]), **arguments})


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((2, 3, 4), [3, 3], "fits lengths and tags"),
        ((1, 3, 5), [3, 3], "fits lengths and tags"),
        ((2, 3, 5), [3, 4], "exceeds the 3 words"),
        ((2, 3, 5), [3, -1], "negative"),
    ],
)
def test_bad_emissions_are_refused(shape: tuple[int, ...], lengths: list[int], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        TagDecoder(iobes_tags(["X"])).decode(np.zeros(shape, np.float32), np.array(lengths))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_emissions_that_are_not_finite_are_refused(value: float) -> None:
    emissions = np.zeros((1, 3, 5), np.float32)
    emissions[0, 1, 1] = value
    with pytest.raises(ModelError, match="not finite"):
        TagDecoder(iobes_tags(["X"])).decode(emissions, np.array([3]))


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_fit_temperature_recovers_the_one_that_made_the_data(true_temperature: float) -> None:
    """Gold is drawn from the model at a temperature, so that temperature explains the errors best."""
    rng = np.random.default_rng(5)
    decoder = TagDecoder(iobes_tags(["X"]))
    length = 2
    paths = legal_paths(decoder.tags, length)
    batches = []
    for _ in range(20):
        emissions = rng.normal(0, 2, (100, length, 5)).astype(np.float32)
        gold = []
        for row in emissions:
            scores = np.array([path_score(decoder, row, path) for path in paths]) / true_temperature
            weights = np.exp(scores - scores.max())
            path = paths[rng.choice(len(paths), p=weights / weights.sum())]
            gold.append(chunks_of_tags([decoder.tags[tag] for tag in path]))
        batches.append((emissions, np.full(100, length), gold))
    assert fit_temperature(decoder, batches) == pytest.approx(true_temperature, rel=0.15)


def test_few_predictions_move_the_temperature_little_under_a_prior() -> None:
    decoder = TagDecoder(iobes_tags(["X"]))
    emissions = np.zeros((1, 3, 5), np.float32)
    emissions[0, 1, 4] = 9  # one mention, and it is right
    batches = [(emissions, np.array([3]), [[(1, 2, "X")]])]
    likeliest = fit_temperature(decoder, batches)
    cautious = fit_temperature(decoder, batches, spread=0.5)
    many = fit_temperature(decoder, batches * 500, spread=0.5)
    assert likeliest == pytest.approx(TEMPERATURES[0], rel=0.01)
    assert likeliest < many < cautious <= 1


def test_fit_temperature_without_predictions_is_one() -> None:
    decoder = TagDecoder(iobes_tags(["X"]))
    emissions = np.zeros((2, 3, 5), np.float32)
    emissions[..., 0] = 9
    assert fit_temperature(decoder, [(emissions, np.array([3, 3]), [[], []])]) == 1.0
    assert fit_temperature(decoder, []) == 1.0

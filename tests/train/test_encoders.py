"""Every encoder and head: the graph equals the network, rows are independent, everything learns."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np
import onnxruntime
import pytest
import torch

from medspan.config import CharBlstm, EncoderConfig, Transformer
from medspan.features.batch import FORM_INPUTS
from medspan.features.vocab import UNKNOWN_UPPER, build_vocab
from medspan.train.encoders import ENCODERS
from medspan.train.encoders.char_blstm import CharBlstmEncoder, char_share
from medspan.train.encoders.directions import Directions, flip_index
from medspan.train.encoders.window import neighbours
from medspan.train.graph import Graph
from medspan.train.loop import Trainer
from medspan.train.scorer import TorchScorer, to_tensors
from tiny_training import HEAD_KINDS, KINDS, Silent, lively_network, tiny_corpus, tiny_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.features.batch import Featurizer
    from medspan.train.network import Network

CLOSE = 2e-5
WORDS = [
    "No",
    "sign",
    "of",
    "grey",
    "fever",
    "after",
    "dacoprime",
    "sulfate",
    ",",
    "Morand",
    "'",
    "s",
    "Ω",
    "患者",
    "é",
    "K-12",
    "hyperplaxiaaaaaaaa",
    "x",
]
LONG = [WORDS[i * i % len(WORDS)] for i in range(200)]
RAGGED = [LONG[i * 3 : i * 3 + 1 + i * 7 % 40] for i in range(17)]
CPU = torch.device("cpu")


@cache
def lively(kind: str, head: str = "crf") -> tuple[Network, Featurizer]:
    recipe = tiny_recipe(kind, head)
    return lively_network(recipe, tiny_corpus(recipe))


class Graphs(NamedTuple):
    """The two graphs of a network; one that reads characters only has no graph of single words."""

    forms: onnxruntime.InferenceSession | None
    context: onnxruntime.InferenceSession


def session(network: Network, *, half: bool = False) -> Graphs:
    """The graphs of a network, with every level of the encoder as a further output."""
    features = network.features
    if features is None:
        return Graphs(None, context_session(network, half=half, width=0))
    graph = Graph(FORM_INPUTS, half=half)
    graph.output("word_states", features.to_graph(graph), ("forms", features.width))
    return Graphs(loaded(graph), context_session(network, half=half, width=features.width))


def context_session(network: Network, *, half: bool, width: int) -> onnxruntime.InferenceSession:
    graph = Graph(network.graph_inputs, half=half, width=width)
    levels = network.to_graph(graph, network.heads)
    for depth, (level, size) in enumerate(zip(levels, network.encoder.widths, strict=True)):
        graph.output(f"level.{depth}", level, ("batch", "words", size))
    return loaded(graph)


def loaded(graph: Graph) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph.build(), options, providers=["CPUExecutionProvider"])


def by_graph(graphs: Graphs, arrays: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float32]]:
    known: dict[str, NDArray[np.generic]] = dict(arrays)
    if graphs.forms:
        (states,) = graphs.forms.run(None, {name: arrays[name] for name in FORM_INPUTS})
        index, lengths = arrays["form_index"], arrays["lengths"]
        inside = np.arange(index.shape[1]) < lengths[:, None]
        known["word_states"] = states[index] * inside[..., None].astype(np.float32)
    names = [output.name for output in graphs.context.get_outputs()]
    feed = {node.name: known[node.name] for node in graphs.context.get_inputs()}
    return dict(zip(names, graphs.context.run(names, feed), strict=True))


def by_torch(network: Network, arrays: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float32]]:
    with torch.inference_mode():
        levels = network.encoder(to_tensors(arrays, CPU))
    scores = TorchScorer(network).score(arrays)
    found = {f"level.{depth}": level.numpy() for depth, level in enumerate(levels)}
    return found | {f"emissions.{name}": emissions for name, emissions in scores.items()}


def batch_of(featurizer: Featurizer, rows: Sequence[Sequence[str]]) -> dict[str, NDArray[np.int64]]:
    return featurizer.arrays([featurizer.encode(row) for row in rows])


def gap(
    left: Mapping[str, NDArray[np.float32]], right: Mapping[str, NDArray[np.float32]], lengths: Sequence[int]
) -> float:
    """The largest difference anywhere but in padding, relative to the size of the values."""
    assert left.keys() == right.keys()
    return max(
        float(
            np.abs(left[name][i, :n] - right[name][i, :n]).max() / max(1.0, np.abs(left[name][i, :n]).max())
        )
        for name in left
        for i, n in enumerate(lengths)
    )


@pytest.mark.parametrize("head", HEAD_KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_graph_equals_network_at_shapes_never_traced(kind: str, head: str) -> None:
    network, featurizer = lively(kind, head)
    graph = session(network)
    for rows in ([WORDS[:1]], [LONG], RAGGED):
        arrays = batch_of(featurizer, rows)
        wanted = by_torch(network, arrays)
        assert len(wanted) == len(network.encoder.widths) + 2
        assert gap(wanted, by_graph(graph, arrays), [len(row) for row in rows]) < CLOSE


@pytest.mark.parametrize("kind", KINDS)
def test_levels_have_the_widths_they_promise(kind: str) -> None:
    network, featurizer = lively(kind)
    levels = network.encoder(to_tensors(batch_of(featurizer, RAGGED), CPU))
    longest = max(len(row) for row in RAGGED)
    assert [tuple(level.shape) for level in levels] == [(17, longest, w) for w in network.encoder.widths]
    assert all(level.isfinite().all() for level in levels)


@pytest.mark.parametrize("head", HEAD_KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_alone_equals_it_in_a_batch_in_any_order(kind: str, head: str) -> None:
    network, featurizer = lively(kind, head)
    graph = session(network)
    for score in (lambda a: by_torch(network, a), lambda a: by_graph(graph, a)):
        together = score(batch_of(featurizer, RAGGED))
        backwards = score(batch_of(featurizer, RAGGED[::-1]))
        lengths = [len(row) for row in RAGGED]
        assert gap(together, {name: part[::-1] for name, part in backwards.items()}, lengths) < CLOSE
        for i, row in enumerate(RAGGED):
            alone = score(batch_of(featurizer, [row]))
            assert gap(alone, {name: part[i : i + 1] for name, part in together.items()}, [len(row)]) < CLOSE


@pytest.mark.parametrize("kind", KINDS)
def test_rows_differ_so_that_the_tests_above_can_fail(kind: str) -> None:
    network, featurizer = lively(kind)
    together = by_torch(network, batch_of(featurizer, RAGGED))
    for name, part in together.items():
        assert np.abs(part[0, 0] - part[1, 0]).max() > 100 * CLOSE, name
        assert np.abs(part[5, 0] - part[5, 1]).max() > 100 * CLOSE, name


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_graph_equals_the_rounded_network(kind: str) -> None:
    recipe = tiny_recipe(kind)
    network, featurizer = lively_network(recipe, tiny_corpus(recipe))
    before = by_torch(network, batch_of(featurizer, RAGGED))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    lengths = [len(row) for row in RAGGED]
    rounded = by_torch(network, batch_of(featurizer, RAGGED))
    assert 0 < gap(before, rounded, lengths) < 0.05
    graph = session(network, half=True)
    assert gap(rounded, by_graph(graph, batch_of(featurizer, RAGGED)), lengths) < CLOSE


@pytest.mark.parametrize("head", HEAD_KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_reaches_every_parameter(kind: str, head: str) -> None:
    recipe = tiny_recipe(kind, head)
    network, featurizer = lively_network(recipe, tiny_corpus(recipe))
    arrays = batch_of(featurizer, RAGGED)
    shape = (17, int(arrays["lengths"].max()))
    targets = {name: np.arange(np.prod(shape)).reshape(shape) % 5 for name in network.heads}
    loss = network.loss(to_tensors(arrays, CPU), to_tensors(targets, CPU))
    loss.backward()
    unused = () if head == "crf" else ("crf.transitions", "crf.start", "crf.end")
    for name, parameter in network.named_parameters():
        if not name.endswith(unused):
            assert parameter.grad is not None, name
            assert parameter.grad.to_dense().abs().max() > 0, name


@pytest.mark.parametrize("head", HEAD_KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_of_padding_is_zero(kind: str, head: str) -> None:
    """What the encoder says behind a row's end is nobody's business, so the loss does not depend on it."""
    network, featurizer = lively(kind, head)
    arrays = batch_of(featurizer, RAGGED)
    levels = [level.detach().requires_grad_() for level in network.encoder(to_tensors(arrays, CPU))]
    lengths = torch.from_numpy(arrays["lengths"])
    tags = torch.zeros(levels[0].shape[:2], dtype=torch.int64)
    network.head("disease").loss(levels[-1], tags, lengths).backward()
    inside = torch.arange(tags.shape[1]) < lengths[:, None]
    gradient = levels[-1].grad
    assert gradient is not None
    assert (gradient[~inside] == 0).all()
    assert (gradient[inside].abs().sum(1) > 0).all()


@pytest.mark.parametrize("head", HEAD_KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_learns_a_tiny_corpus(kind: str, head: str, tmp_path: Path) -> None:
    recipe = tiny_recipe(kind, head, epochs=5, batch_words=60, learning_rate=0.02)
    trainer = Trainer(recipe, [tiny_corpus(recipe, size=40)], tmp_path, CPU)
    trainer.run(Silent())
    losses = [row.loss for row in trainer.state.history]
    assert losses[-1] < 0.6 * losses[0], losses
    assert trainer.state.best_score > 0.1, [row.dev_mean for row in trainer.state.history]


def test_every_encoder_of_the_recipes_is_known() -> None:
    assert {*ENCODERS, Transformer} == set(get_args(EncoderConfig))
    assert {kind.__struct_config__.tag for kind in ENCODERS} == set(KINDS)


# Directions


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_directions_stay_apart(layers: int) -> None:
    """Changing a word moves no forward state before it and no backward state behind it (DESIGN 6)."""
    torch.manual_seed(3)
    directions = Directions(6, 5, layers, 0.3).eval()
    lengths = torch.tensor([9, 4, 1, 9])
    states = torch.randn(9, 4, 6)
    for place in range(9):
        changed = states.clone()
        changed[place] += 1.0
        for before, after in zip(directions(states, lengths), directions(changed, lengths), strict=True):
            assert torch.equal(before[:place, :, :5], after[:place, :, :5])
            for row, length in enumerate(lengths.tolist()):
                behind = slice(place + 1, length)
                assert torch.equal(before[behind, row, 5:], after[behind, row, 5:])
                if place < length:
                    moved = before[:, row] != after[:, row]
                    assert moved[place:length, :5].any(1).all()
                    assert moved[: place + 1, 5:].any(1).all()


def test_flip_index_reverses_rows_and_leaves_padding() -> None:
    assert flip_index(torch.tensor([4, 1, 3]), 4).t().tolist() == [[3, 2, 1, 0], [0, 1, 2, 3], [2, 1, 0, 3]]


def test_characters_to_the_right_move_no_forward_half_of_the_character_encoder() -> None:
    network, featurizer = lively("char_blstm")
    before = by_torch(network, batch_of(featurizer, [WORDS]))
    after = by_torch(network, batch_of(featurizer, [[*WORDS[:6], "changed", *WORDS[7:]]]))
    for name in ("level.0", "level.1"):
        np.testing.assert_array_equal(before[name][0, :6, :16], after[name][0, :6, :16])
        assert (before[name][0, :6, 16:] != after[name][0, :6, 16:]).any(1).all()


# Characters of a word vote


def test_shares_of_characters() -> None:
    first, stop = torch.tensor([[0, 3, 0]]), torch.tensor([[2, 4, 1]])
    expected = [[0.5, 0.5, 0, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 0]]
    assert char_share(first, stop, 5).tolist() == [expected]


def test_a_linear_head_on_words_is_the_mean_of_its_characters_votes() -> None:
    network, featurizer = lively("char_blstm")
    encoder = network.encoder
    assert isinstance(encoder, CharBlstmEncoder)
    arrays = to_tensors(batch_of(featurizer, RAGGED), CPU)
    with torch.inference_mode():
        emissions = network(arrays)["disease"]
        characters = encoder.directions(
            encoder.chars(arrays["text_ids"]).transpose(0, 1), arrays["text_lengths"]
        )[-1].transpose(0, 1)
        votes = network.head("disease").emit(characters)
    for row, words in enumerate(RAGGED):
        for place in range(len(words)):
            first, stop = int(arrays["word_first"][row, place]), int(arrays["word_stop"][row, place])
            mean = votes[row, first:stop].mean(0)
            torch.testing.assert_close(emissions[row, place], mean, atol=CLOSE, rtol=CLOSE)


def test_the_last_word_of_a_long_row_is_as_exact_as_the_first() -> None:
    """Differences of a running sum would lose digits here; compared with float64."""
    torch.manual_seed(0)
    row = ["abcdefgh"] * 400
    level = torch.randn(1, 9 * len(row) - 1, 4) + 3.0
    first = torch.arange(len(row))[None] * 9
    share = char_share(first, first + 8, level.shape[1])
    exact = torch.stack([level[0, i * 9 : i * 9 + 8].double().mean(0) for i in range(len(row))])
    assert (torch.bmm(share, level)[0].double() - exact).abs().max() < 2e-6


def test_unseen_characters_share_the_vector_of_their_class() -> None:
    network, featurizer = lively("char_blstm")
    left = by_torch(network, batch_of(featurizer, [["the", "Ж", "患者"]]))
    right = by_torch(network, batch_of(featurizer, [["the", "Щ", "病人"]]))
    for name, part in left.items():
        np.testing.assert_array_equal(part, right[name])


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_of_nothing_but_unseen_characters_is_scored(kind: str) -> None:
    network, featurizer = lively(kind)
    odd = ["\x00", "\ud7ff", "🤒", "👨\u200d⚕\ufe0f", "ЖЖЖЖЖЖЖЖЖЖЖЖЖЖ", "a\u0301\u0302", "٣"]
    for part in by_torch(network, batch_of(featurizer, [odd])).values():
        assert np.isfinite(part).all()


def test_what_a_character_is_does_not_depend_on_what_was_seen_before() -> None:
    """An unknown base letter that was looked up earlier is still unknown."""
    fresh = build_vocab([["x"] * 3])
    used = build_vocab([["x"] * 3])
    for character in "T 1a\u0301":
        used.char_id(character)
    for character in "™ \u00b4 ½ ª á Á ﬁ":
        assert used.char_id(character) == fresh.char_id(character), ascii(character)
    assert used.char_id("T") == UNKNOWN_UPPER


def test_character_encoder_needs_no_word_vocabulary() -> None:
    encoder = CharBlstmEncoder(CharBlstm(char_width=4, hidden_width=4, layers=1), build_vocab([["aaa"]]))
    assert sum(p.numel() for p in encoder.chars.parameters()) == 7 * 4
    assert "word_ids" not in encoder.inputs


# Neighbours


def test_neighbours_stand_left_to_right_with_zeros_outside() -> None:
    states = torch.tensor([[[1.0], [2.0], [3.0]]])
    assert neighbours(states, 1).tolist() == [[[0, 1, 2], [1, 2, 3], [2, 3, 0]]]
    assert neighbours(states[:, :1], 2).tolist() == [[[0, 0, 1, 0, 0]]]


@pytest.mark.parametrize(("kind", "reach"), [("window", 2), ("cnn", 4)])
def test_a_word_sees_as_far_as_the_recipe_says(kind: str, reach: int) -> None:
    """Window: reach 2; convolutions: dilations 1 + 2 + 1."""
    network, featurizer = lively(kind)
    row = LONG[:31]
    before = by_torch(network, batch_of(featurizer, [row]))[f"level.{len(network.encoder.widths) - 1}"][0]
    changed = [*row[:15], "zelvorin", *row[16:]]
    after = by_torch(network, batch_of(featurizer, [changed]))[f"level.{len(network.encoder.widths) - 1}"][0]
    moved = [i for i in range(31) if np.abs(before[i] - after[i]).max() > CLOSE]
    assert (moved[0], moved[-1]) == (15 - reach, 15 + reach)

"""How often each corpus is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.config import TrainConfig
from medspan.train.mixing import mix

WAYS = ("proportional", "temperature", "uniform", "need")
sizes = st.lists(st.integers(1, 10**6), min_size=1, max_size=8)


@given(sizes=sizes, way=st.sampled_from(WAYS), temperature=st.floats(1, 10), data=st.data())
def test_an_epoch_has_as_many_sentences_in_every_way(
    sizes: list[int], way: str, temperature: float, data: st.DataObject
):
    count = len(sizes)
    weights = data.draw(st.lists(st.floats(0.1, 5), min_size=count, max_size=count))
    lacking = data.draw(st.none() | st.lists(st.floats(0, 1), min_size=count, max_size=count))
    found = mix(sizes, weights, TrainConfig(sampling=way, sampling_temperature=temperature), lacking)
    wanted = sum(size * weight for size, weight in zip(sizes, weights, strict=True))
    assert sum(size * weight for size, weight in zip(sizes, found, strict=True)) == pytest.approx(wanted)
    assert min(found) > 0


@pytest.mark.parametrize(
    ("way", "lacking", "expected"),
    [
        ("proportional", [0.1, 0.5], [100, 900]),
        ("uniform", None, [500, 500]),
        ("temperature", None, [250, 750]),  # 10 to 30
        ("need", None, [100, 900]),  # before the first dev score
        ("need", [0.9, 0.1], [500, 500]),
        ("need", [0.0, 0.0], [100, 900]),  # a finished corpus is not dropped
    ],
)
def test_sentences_of_an_epoch(way: str, lacking: list[float] | None, expected: list[int]):
    found = mix([100, 900], [1.0, 1.0], TrainConfig(sampling=way), lacking)
    assert [size * weight for size, weight in zip([100, 900], found, strict=True)] == pytest.approx(expected)


def test_a_weight_multiplies():
    assert mix([100, 100], [3.0, 1.0], TrainConfig(sampling="uniform"), None) == pytest.approx([3.0, 1.0])


def test_a_temperature_of_one_is_by_size():
    config = TrainConfig(sampling="temperature", sampling_temperature=1.0)
    assert mix([5, 50, 7], [1.0, 2.0, 1.0], config, None) == pytest.approx([1.0, 2.0, 1.0])

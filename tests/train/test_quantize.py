"""Word tables in eight bits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medspan.train.quantize import pack_bytes, quantize_rows, quantized, unpack_bytes


@given(seed=st.integers(0, 10_000), exponent=st.integers(-6, 3))
def test_no_number_moves_by_more_than_half_a_step(seed: int, exponent: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(7, 13, generator=generator) * 10.0**exponent
    whole, scales = quantize_rows(table)
    assert whole.dtype == torch.int8
    assert whole.abs().max() <= 127
    # half a step, and what a scale in half precision loses at the largest number
    most = scales.float() * (0.5 + 127 * 2**-10) + 1e-9
    assert ((quantized(table) - table).abs() <= most).all()


@given(seed=st.integers(0, 10_000))
def test_twice_is_once(seed: int) -> None:
    table = torch.randn(5, 9, generator=torch.Generator().manual_seed(seed))
    once = quantized(table)
    assert torch.equal(quantized(once), once)


@pytest.mark.parametrize("value", [0.0, 1e-9])
def test_rows_of_nothing_stay_finite(value: float) -> None:
    assert quantized(torch.full((2, 4), value)).tolist() == [[0.0] * 4] * 2


def test_what_is_packed_comes_back() -> None:
    tensors = {"table": torch.randn(6, 10), "other": torch.randn(3)}
    packed = pack_bytes(tensors, ["table", "absent"])
    assert {name: tensor.dtype for name, tensor in packed.items()} == {
        "table.bytes": torch.int8,
        "table.scales": torch.float16,
        "other": torch.float16,
    }
    whole = unpack_bytes(packed)
    assert torch.equal(whole["table"], quantized(tensors["table"]))
    assert torch.equal(whole["other"], tensors["other"].half().float())
    with pytest.raises(KeyError):
        unpack_bytes({"table.bytes": packed["table.bytes"]})

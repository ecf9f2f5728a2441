"""Finds tensors of an ONNX model that live in other files, without the ``onnx`` package.

ONNX Runtime would read such a file from wherever the model says, so a model that names one is refused before
the runtime sees it. The scan walks the protobuf messages that can hold tensors (onnx.proto, IR version 10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Message → field number → message it holds; other fields are skipped.
_MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5


def has_external_data(model: bytes) -> bool:
    """Whether any tensor of an ONNX model names another file.

    Raises:
        ValueError: if the bytes are no protobuf message.
    """
    pending: list[tuple[str, memoryview]] = [("model", memoryview(model))]
    while pending:
        kind, data = pending.pop()
        for number, value in _fields(data):
            if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == 1)):
                return True
            inner = _MESSAGES[kind].get(number)
            if inner is not None:
                if isinstance(value, int):
                    raise ValueError(f"field {number} of {kind} holds a number")
                pending.append((inner, value))
    return False


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values of one message; numbers of fixed width are given as bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        wire = key & 7
        if wire == _VARINT:
            number, place = _varint(data, place)
            yield key >> 3, number
            continue
        if wire == _SIZED:
            size, place = _varint(data, place)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"wire type {wire} at byte {place}")
        if place + size > len(data):
            raise ValueError(f"ends inside a field at byte {place}")
        yield key >> 3, data[place : place + size]
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the high bit says that more follow
            return value, place
    raise ValueError(f"broken number at byte {place}")

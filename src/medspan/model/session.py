"""Runs the ONNX graph of a model: arrays → emissions. The only module that imports onnxruntime."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from medspan.errors import ModelError, UsageError
from medspan.model.onnx_scan import has_external_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from medspan.model.spec import HeadSpec, ModelSpec

Device = Literal["auto", "cpu", "cuda"]
_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"
_SEVERITY_ERROR = 3
_CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


class OnnxScorer:
    """The forward pass of a model folder; a ``medspan.model.protocol.Scorer``.

    Args:
        model: bytes of ``model.onnx``.
        spec: names the inputs and heads the graph must have.
        device: ``auto`` takes a GPU where onnxruntime has one; ``cuda`` without one is an error.
        threads: threads of one forward pass; None for all cores this process may use.

    Raises:
        UsageError: if the device is not there or the number of threads is not positive.
        ModelError: if the graph is damaged, refers to other files, or does not fit the spec.
    """

    def __init__(
        self, model: bytes, spec: ModelSpec, *, device: Device = "auto", threads: int | None = None
    ) -> None:
        import onnxruntime as runtime  # noqa: PLC0415 - slow to import; only a loaded model needs it

        self._inputs = spec.inputs
        self._heads = spec.heads
        providers = _providers(device, runtime.get_available_providers())
        options = _options(runtime, threads)
        _check_self_contained(model)
        try:
            self._session = runtime.InferenceSession(model, sess_options=options, providers=providers)
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no other base
            raise ModelError(
                f"model.onnx: onnxruntime cannot load it ({_first_line(error)}); export the model again, "
                "or upgrade onnxruntime"
            ) from None
        self.device = "cuda" if _CUDA in self._session.get_providers() else "cpu"
        if device == "cuda" and self.device != "cuda":
            raise UsageError(
                "device cuda: onnxruntime could not start it (driver or CUDA libraries do not fit); "
                "mend them, or use --device cpu"
            )
        _check_inputs(self._session.get_inputs(), spec.inputs)
        _check_outputs(self._session.get_outputs(), spec.heads)

    def score(self, arrays: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float32]]:
        """Emissions of each head by its name, float32 (batch, words, tags).

        Args:
            arrays: the arrays of a batch (features/batch.py); those the graph does not take are left out.

        Raises:
            ModelError: if an array is missing or the graph cannot run on these shapes.
        """
        if missing := [name for name in self._inputs if name not in arrays]:
            raise ModelError(
                f"the batch lacks the arrays {', '.join(missing)} that config.json lists in inputs"
            )
        feed = {name: np.ascontiguousarray(arrays[name], dtype=np.int64) for name in self._inputs}
        try:
            outputs = self._session.run([head.output for head in self._heads], feed)
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no other base
            shapes = ", ".join(f"{name} {array.shape}" for name, array in feed.items())
            raise ModelError(f"model.onnx: cannot run on {shapes}: {_first_line(error)}") from None
        return {head.name: output for head, output in zip(self._heads, outputs, strict=True)}


def available_cores() -> int:
    """Cores this process may use: its affinity, and the quota of its container (cgroup v2)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CGROUP_LIMIT.read_text(encoding="ascii").split()
        return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):
        return cores


def _providers(device: str, available: Sequence[str]) -> list[str]:
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"unknown device {device!r}; known: auto, cpu, cuda")
    if device == "cuda" and _CUDA not in available:
        raise UsageError(
            "device cuda: this onnxruntime has no CUDA; install onnxruntime-gpu in place of onnxruntime, "
            "or use --device cpu"
        )
    return [_CUDA, _CPU] if device != "cpu" and _CUDA in available else [_CPU]


def _options(runtime: Any, threads: int | None) -> Any:  # noqa: ANN401 - onnxruntime ships no types
    cores = available_cores()
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; give a number from 1, or leave it out for all cores")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or cores
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _SEVERITY_ERROR
    # Patterns are kept per shape, and our shapes differ from batch to batch: they would only pile up.
    options.enable_mem_pattern = False
    if options.intra_op_num_threads > cores:
        # A thread that spins for a core it does not have only slows the one that works there.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _check_self_contained(model: bytes) -> None:
    try:
        is_external = has_external_data(model)
    except ValueError as error:
        raise ModelError(f"model.onnx: not an ONNX model ({error}); export the model again") from None
    if is_external:
        raise ModelError(
            "model.onnx: keeps weights in other files, which is not allowed; export it as one file"
        )


def _check_inputs(inputs: Sequence[Any], expected: Sequence[str]) -> None:
    _check_names("inputs", [node.name for node in inputs], expected)
    for node in inputs:
        if node.type != "tensor(int64)":
            raise ModelError(f"model.onnx: input {node.name} is {node.type}; it must be tensor(int64)")
        _check_symbolic("input", node, node.shape)


def _check_outputs(outputs: Sequence[Any], heads: Sequence[HeadSpec]) -> None:
    _check_names("outputs", [node.name for node in outputs], [head.output for head in heads])
    tags = {head.output: len(head.tags) for head in heads}
    for node in outputs:
        if node.type != "tensor(float)":
            raise ModelError(f"model.onnx: output {node.name} is {node.type}; it must be tensor(float)")
        if len(node.shape) != 3 or node.shape[2] != tags[node.name]:  # noqa: PLR2004 - batch, words, tags
            raise ModelError(
                f"model.onnx: output {node.name} has shape {node.shape}; its head needs "
                f"(batch, words, {tags[node.name]})"
            )
        _check_symbolic("output", node, node.shape[:2])


def _check_names(what: str, found: Sequence[str], expected: Sequence[str]) -> None:
    if set(found) != set(expected):
        raise ModelError(
            f"model.onnx: {what} are {', '.join(sorted(found))}, but config.json asks for "
            f"{', '.join(sorted(expected))}; export the model again"
        )


def _check_symbolic(what: str, node: Any, axes: Sequence[int | str | None]) -> None:  # noqa: ANN401 - see _options
    """Exporters can silently fix an axis; the graph would then fail, or worse, on other shapes."""
    if fixed := [axis for axis in axes if isinstance(axis, int)]:
        raise ModelError(
            f"model.onnx: {what} {node.name} has shape {node.shape} with a fixed axis ({fixed[0]}); "
            "export the model again with symbolic axes"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]

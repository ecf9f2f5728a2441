"""Runs the ONNX graphs of a model: words → states → emissions. The only module that imports onnxruntime."""

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

    from medspan.model.relation_spec import RelationSpec
    from medspan.model.spec import FormSpec, ModelSpec

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
        self._heads = spec.heads
        self._graph = _Graph("model.onnx", model, spec.inputs, device=device, threads=threads)
        self.device = self._graph.device
        self._graph.check_inputs(width=spec.forms.width if spec.forms else None)
        self._graph.check_outputs({head.output: ("batch", "words", len(head.tags)) for head in spec.heads})
        self._outputs = [head.output for head in spec.heads]

    def score(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Emissions of each head by its name, float32 (batch, words, tags).

        Args:
            arrays: the arrays of a batch (features/batch.py); those the graph does not take are left out.

        Raises:
            ModelError: if an array is missing or the graph cannot run on these shapes.
        """
        outputs = self._graph.run(self._outputs, arrays)
        return {head.name: output for head, output in zip(self._heads, outputs, strict=True)}


class OnnxForms:
    """The form network of a model folder; a ``medspan.features.forms.FormStates``.

    Args:
        model: bytes of ``forms.onnx``.
        spec: names the inputs the graph must have, and the width of its states.

    Raises:
        ModelError: if the graph is damaged, refers to other files, or does not fit the spec.
    """

    def __init__(self, model: bytes, spec: FormSpec) -> None:
        # New forms are few: a second thread would only wait for them, and a GPU for their transfer.
        self._graph = _Graph("forms.onnx", model, spec.inputs, device="cpu", threads=1)
        self.width = spec.width
        self._graph.check_inputs()
        self._graph.check_outputs({"word_states": ("forms", spec.width)})

    def states(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """States of some forms, float32 (forms, width).

        Raises:
            ModelError: if an array is missing or the graph cannot run on these shapes.
        """
        states: NDArray[np.float32] = self._graph.run(["word_states"], arrays)[0]
        return states


class OnnxRelations:
    """The graph of a relation model; a ``medspan.model.relater.RelationScorer``.

    Args:
        model: bytes of ``model.onnx``.
        spec: names the inputs the graph must have, and what it scores.
        device: as of `OnnxScorer`.
        threads: as of `OnnxScorer`.

    Raises:
        UsageError: if the device is not there or the number of threads is not positive.
        ModelError: if the graph is damaged, refers to other files, or does not fit the spec.
    """

    def __init__(
        self, model: bytes, spec: RelationSpec, *, device: Device = "auto", threads: int | None = None
    ) -> None:
        self._graph = _Graph("model.onnx", model, spec.inputs, device=device, threads=threads)
        self._graph.check_inputs(width=spec.forms.width if spec.forms else None)
        self._outputs = ["scores"]
        if spec.what == "pointers":
            self._outputs = ["memory", "mentions", "start"]
            self._graph.check_names(self._outputs)
        else:
            self._graph.check_outputs({"scores": ("pairs", len(spec.classes))})

    def score(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """``scores`` (pairs, classes), or what `medspan.model.pointing` asks for, float32.

        Raises:
            ModelError: if an array is missing or the graph cannot run on these shapes.
        """
        return dict(zip(self._outputs, self._graph.run(self._outputs, arrays), strict=True))


class _Graph:
    """An ONNX graph and the names of its inputs."""

    def __init__(
        self, file: str, model: bytes, inputs: Sequence[str], *, device: Device, threads: int | None
    ) -> None:
        runtime = _runtime()
        self.file, self.inputs = file, tuple(inputs)
        providers = _providers(device, runtime.get_available_providers())
        options = _options(runtime, threads)
        _check_self_contained(file, model)
        try:
            self._session = runtime.InferenceSession(model, sess_options=options, providers=providers)
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no other base
            raise ModelError(
                f"{file}: onnxruntime cannot load it ({_first_line(error)}); export the model again, "
                "or upgrade onnxruntime"
            ) from None
        self.device = "cuda" if _CUDA in self._session.get_providers() else "cpu"
        if device == "cuda" and self.device != "cuda":
            raise UsageError(
                "device cuda: onnxruntime could not start it (driver or CUDA libraries do not fit); "
                "mend them, or use --device cpu"
            )

    def run(self, outputs: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        if missing := [name for name in self.inputs if name not in arrays]:
            raise ModelError(
                f"the batch lacks the arrays {', '.join(missing)} that config.json lists as inputs"
            )
        feed = {name: np.ascontiguousarray(arrays[name], dtype=_type_of(name)) for name in self.inputs}
        try:
            found: list[NDArray[np.float32]] = self._session.run(list(outputs), feed)
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no other base
            shapes = ", ".join(f"{name} {array.shape}" for name, array in feed.items())
            raise ModelError(f"{self.file}: cannot run on {shapes}: {_first_line(error)}") from None
        return found

    def check_inputs(self, *, width: int | None = None) -> None:
        """Names, types and axes; ``width``: of ``word_states``, the only axis of an input that is fixed."""
        nodes = self._session.get_inputs()
        self._check_names("inputs", [node.name for node in nodes], self.inputs)
        for node in nodes:
            wanted = "tensor(float)" if _type_of(node.name) is np.float32 else "tensor(int64)"
            if node.type != wanted:
                raise ModelError(f"{self.file}: input {node.name} is {node.type}; it must be {wanted}")
            axes = node.shape
            if node.name == "word_states":
                if axes[-1] != width:
                    raise ModelError(
                        f"{self.file}: input {node.name} is {axes[-1]} wide; config.json says {width}"
                    )
                axes = axes[:-1]
            self._check_symbolic("input", node, axes)

    def check_outputs(self, expected: Mapping[str, Sequence[str | int]]) -> None:
        """Names, types and axes; numbers among the expected axes are sizes the graph must have."""
        nodes = self._session.get_outputs()
        self._check_names("outputs", [node.name for node in nodes], list(expected))
        for node in nodes:
            if node.type != "tensor(float)":
                raise ModelError(f"{self.file}: output {node.name} is {node.type}; it must be tensor(float)")
            axes = expected[node.name]
            if len(node.shape) != len(axes) or node.shape[-1] != axes[-1]:
                shown = ", ".join(map(str, axes))
                raise ModelError(
                    f"{self.file}: output {node.name} has shape {node.shape}; config.json needs ({shown})"
                )
            self._check_symbolic("output", node, node.shape[:-1])

    def check_names(self, outputs: Sequence[str]) -> None:
        """Names of the outputs, where the decoder that reads them knows their widths."""
        self._check_names("outputs", [node.name for node in self._session.get_outputs()], outputs)

    def _check_names(self, what: str, found: Sequence[str], expected: Sequence[str]) -> None:
        if set(found) != set(expected):
            raise ModelError(
                f"{self.file}: {what} are {', '.join(sorted(found))}, but config.json asks for "
                f"{', '.join(sorted(expected))}; export the model again"
            )

    def _check_symbolic(self, what: str, node: Any, axes: Sequence[int | str | None]) -> None:  # noqa: ANN401 - see _options
        """Exporters can silently fix an axis; the graph would then fail, or worse, on other shapes."""
        if fixed := [axis for axis in axes if isinstance(axis, int)]:
            raise ModelError(
                f"{self.file}: {what} {node.name} has shape {node.shape} with a fixed axis ({fixed[0]}); "
                "export the model again with symbolic axes"
            )


def _runtime() -> Any:  # noqa: ANN401 - onnxruntime ships no types
    """onnxruntime, told to send nothing to anyone: 1.30 and 1.31 tell their maker of each session.

    It decides when it is imported; ``ORT_DISABLE_TELEMETRY`` in the environment, if set, stands as it is.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as runtime  # noqa: PLC0415 - slow to import; only a loaded model needs it

    return runtime


def _type_of(name: str) -> type[np.int64 | np.float32]:
    return np.float32 if name == "word_states" else np.int64


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


def _check_self_contained(file: str, model: bytes) -> None:
    try:
        is_external = has_external_data(model)
    except ValueError as error:
        raise ModelError(f"{file}: not an ONNX model ({error}); export the model again") from None
    if is_external:
        raise ModelError(f"{file}: keeps weights in other files, which is not allowed; export it as one file")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]

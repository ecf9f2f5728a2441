"""Optimisers, learning rate and the running average of the weights; all state is tensors by name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from medspan.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from medspan.config import TrainConfig

_AVERAGE_EVERY = 10


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """Rises linearly over the warm-up share of the steps, then falls as half a cosine."""
    warm = max(1, round(config.warmup * total))
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    done = min(1.0, (step - warm) / max(1, total - warm))
    share = config.final_rate + (1 - config.final_rate) * 0.5 * (1 + math.cos(math.pi * done))
    return config.learning_rate * share


def refuse_divergence(loss: float, step: int, table: str) -> None:
    """Stop a run whose loss is no number any more.

    Args:
        loss: of a step.
        step: its number.
        table: of the recipe, where the learning rate stands.

    Raises:
        TrainingError: if the loss is not finite.
    """
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss at step {step} is not finite: the run diverged; lower {table}.learning_rate "
            f"or {table}.clip, and start anew"
        )


class Optimizer:
    """AdamW for dense weights, lazy Adam for word tables: only the rows a batch touched are updated.

    Args:
        network: its parameters by name.
        config: rates, decay and clipping.
        named: parameters that can have a learning rate of their own.
    """

    def __init__(self, network: nn.Module, config: TrainConfig, named: Collection[str] = ()) -> None:
        self.config = config
        sparse = {
            f"{name}.weight" for name, part in network.named_modules() if getattr(part, "sparse", False)
        }
        self._names = {
            name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad
        }
        self._sparse = [p for n, p in self._names.items() if n in sparse]
        self._dense = [p for n, p in self._names.items() if n not in sparse]
        tables = {id(part.weight) for part in network.modules() if isinstance(part, nn.Embedding)}
        decayed = [p for p in self._dense if p.ndim > 1 and id(p) not in tables]
        kept = [p for p in self._dense if p.ndim <= 1 or id(p) in tables]
        groups = [
            {**group, "weight_decay": decay}
            for members, decay in ((decayed, config.weight_decay), (kept, 0.0))
            for group in self._groups(members, named)
        ]
        self._parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=1.0, fused=True)]
        if self._sparse:
            self._parts.append(torch.optim.SparseAdam(self._groups(self._sparse, named), lr=1.0))

    def _groups(self, members: list[nn.Parameter], named: Collection[str]) -> list[dict[str, Any]]:
        """Parameters without a factor of their own together, each of the others alone."""
        own = {id(self._names[name]): name for name in named if name in self._names}
        together = [p for p in members if id(p) not in own]
        apart = [{"params": [p], "name": own[id(p)]} for p in members if id(p) in own]
        return [{"params": together, "name": ""}, *apart] if together or not apart else apart

    def step(self, rate: float, factors: Mapping[str, float] | None = None) -> float:
        """Clip, update with a learning rate, clear the gradients; the gradient norm before clipping.

        Args:
            rate: learning rate.
            factors: of the parameters ``named`` at the start; 1 where absent.
        """
        norm = self._clip()
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate * (factors or {}).get(group["name"], 1.0)
            part.step()
            part.zero_grad(set_to_none=True)
        return norm

    def _clip(self) -> float:
        grads = [p.grad for p in self._dense if p.grad is not None]
        for parameter in self._sparse:
            if parameter.grad is not None:
                parameter.grad = parameter.grad.coalesce()
                grads.append(parameter.grad._values())  # noqa: SLF001 - values() refuses a grad of a grad
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))  # noqa: SLF001 - what torch's own clipping calls
        if not torch.isfinite(norm):
            return float(norm)
        scale = (self.config.clip / (norm + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_(grads, scale)
        return float(norm)

    def tensors(self) -> dict[str, Tensor]:
        """The optimisers' state: ``name/part`` → tensor."""
        state: dict[str, Tensor] = {}
        for name, parameter in self._names.items():
            for part in self._parts:
                for key, value in part.state.get(parameter, {}).items():
                    state[f"{name}/{key}"] = value if isinstance(value, Tensor) else torch.tensor(value)
        return state

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        for name, parameter in self._names.items():
            owner = self._parts[-1] if any(parameter is p for p in self._sparse) else self._parts[0]
            found = {k.rpartition("/")[2]: v for k, v in tensors.items() if k.rpartition("/")[0] == name}
            if found:
                owner.state[parameter] = {
                    key: int(value)
                    if key == "step" and owner is not self._parts[0]
                    else value.to(parameter.device, copy=True)
                    for key, value in found.items()
                }


class Average:
    """Exponential moving average of the weights (Polyak & Juditsky 1992), taken every ten steps.

    Args:
        network: whose weights are averaged.
        decay: share of the old average kept a step; 0 follows the weights themselves.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._live = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self.weights = {name: p.detach().clone() for name, p in self._live.items()} if decay else {}

    def update(self, step: int) -> None:
        """Take the weights in; early averages forget faster, so that the start does not linger."""
        if not self._decay or (step + 1) % _AVERAGE_EVERY:
            return
        decay = min(self._decay**_AVERAGE_EVERY, (step + 1) / (step + 1 + 10 * _AVERAGE_EVERY))
        targets = list(self.weights.values())
        torch._foreach_lerp_(targets, [self._live[n].detach() for n in self.weights], 1 - decay)

    def swap(self) -> None:
        """Exchange the average and the live weights; twice puts everything back."""
        with torch.no_grad():
            for name, average in self.weights.items():
                live = self._live[name].detach().clone()
                self._live[name].copy_(average)
                average.copy_(live)

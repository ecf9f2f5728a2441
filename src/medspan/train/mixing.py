"""How often each of several corpora is seen in an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.config import TrainConfig

_LEAST_NEED = 0.02


def mix(
    sizes: Sequence[int], weights: Sequence[float], config: TrainConfig, lacking: Sequence[float] | None
) -> list[float]:
    """How often the sentences of each corpus are seen in an epoch.

    The number of sentences of an epoch is the same for every ``sampling``: what the recipe's weights give.
    Size to the power 1 / T is how multilingual BERT drew its languages (Devlin et al. 2018); sampling by dev
    need is after Gottumukkala et al. (2020).

    Args:
        sizes: sentences of each corpus.
        weights: of each corpus, as the recipe gives them.
        config: names the way.
        lacking: what the last dev F1 of each corpus lacks to 1; None before the first epoch.
    """
    if config.sampling == "proportional" or (config.sampling == "need" and lacking is None):
        return list(weights)
    if config.sampling == "need":
        raw = [
            weight * size * max(need, _LEAST_NEED)
            for size, weight, need in zip(sizes, weights, lacking or (), strict=True)
        ]
    else:
        power = 0.0 if config.sampling == "uniform" else 1 / config.sampling_temperature
        raw = [weight * size**power for size, weight in zip(sizes, weights, strict=True)]
    total = sum(size * weight for size, weight in zip(sizes, weights, strict=True))
    return [share / sum(raw) * total / size for share, size in zip(raw, sizes, strict=True)]

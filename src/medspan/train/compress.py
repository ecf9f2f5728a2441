"""Makes a trained encoder cheaper: its first layer reads fewer directions of the word features.

The first layer multiplies the features ``x`` of a word by ``W``. ``W`` is replaced by ``B @ A`` of a lower
rank, chosen so that ``E |W x - B A x|^2`` over the words of the training text is least. ``A x`` depends on
the form of the word alone, so it is computed once a form and kept; only ``B`` is paid for at every word.

By the theorem of Eckart and Young (1936) the best factors under a second moment ``C = E x x^T`` come from the
singular vectors of ``W C^(1/2)`` (Chen et al. 2021, DRONE, use the same for transformers).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import torch

from medspan.errors import ConfigError
from medspan.features.batch import FORM_INPUTS, Featurizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

    from medspan.features.vocab import Vocab
    from medspan.train.encoders.words import WordFeatures
    from medspan.train.network import Network

_FORMS_AT_ONCE = 1024
_RIDGE = 1e-6
"""Share of the mean variance added in every direction: one that no word took may not count for nothing."""


def factorize(weights: Tensor, moments: Tensor, rank: int) -> tuple[Tensor, Tensor, float]:
    """The best factors of some weights.

    Args:
        weights: float (outputs, width).
        moments: float64 (width, width), the second moment of what they are multiplied with.
        rank: directions to keep.

    Returns:
        ``A`` (rank, width), ``B`` (outputs, rank), and the share of the outputs' power that is lost.
    """
    width = len(moments)
    ridge = _RIDGE * torch.trace(moments) / width * torch.eye(width, dtype=moments.dtype)
    values, vectors = torch.linalg.eigh(moments + ridge)
    root = vectors * values.sqrt()  # C = root @ root.T
    left, sizes, right = torch.linalg.svd(weights.double() @ root, full_matrices=False)
    power = sizes.square()
    lost = float(power[rank:].sum() / power.sum())
    # A x has directions of equal power, so that half precision serves all of them alike.
    projection = right[:rank] @ (vectors / values.sqrt()).T
    return projection.to(weights.dtype), (left[:, :rank] * sizes[:rank]).to(weights.dtype), lost


def second_moment(
    features: WordFeatures, vocab: Vocab, sentences: Iterable[Sequence[str]], max_chars: int
) -> Tensor:
    """The mean of ``x x^T`` over the words of some sentences: float64 (width, width)."""
    counts = Counter(form for sentence in sentences for form in sentence)
    featurizer = Featurizer(vocab, FORM_INPUTS, max_chars=max_chars)
    total = torch.zeros((), dtype=torch.float64)
    for forms in _blocks(sorted(counts)):
        rows = featurizer.encode(forms)
        table = featurizer.table
        arrays = {
            name: torch.from_numpy(np.asarray(getattr(table, name)[rows], np.int64)) for name in FORM_INPUTS
        }
        with torch.inference_mode():
            states = features.of_forms(arrays).double()
        often = torch.tensor([counts[form] for form in forms], dtype=torch.float64)
        total = total + (states * often[:, None]).T @ states
    return total / sum(counts.values())


def _blocks(forms: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(forms), _FORMS_AT_ONCE):
        yield forms[first : first + _FORMS_AT_ONCE]


def narrow(
    network: Network, vocab: Vocab, sentences: Iterable[Sequence[str]], *, rank: int, max_chars: int
) -> float:
    """Compress a trained network in place; the share of the first layer's power that was lost, 0 to 1.

    Args:
        network: its first layer is replaced.
        vocab: what it was made with.
        sentences: words as they are spelled; the directions that matter to them are kept.
        rank: directions that are kept.
        max_chars: characters of a word that are read.

    Raises:
        ConfigError: if the encoder has no first layer this fits, or the rank is not below its width.
    """
    encoder, features = network.encoder, network.features
    if features is None or not hasattr(encoder, "narrow"):
        raise ConfigError(
            "export.input_rank: only blstm_cnn and window encoders can be narrowed; leave it out"
        )
    if rank >= features.width:
        raise ConfigError(
            f"export.input_rank: is {rank}; word features are {features.width} wide, so it saves nothing"
        )
    moments = second_moment(features, vocab, sentences, max_chars)
    lost: float = encoder.narrow(rank, moments)  # type: ignore[operator]
    return lost

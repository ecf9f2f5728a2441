"""Fits how sure a finished model says it is to annotated documents; what it finds stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from medspan.features.cut import unit_chunks
from medspan.model.golden import GOLDEN, GOLDEN_TEXTS, make_golden
from medspan.model.store import open_model, save_model
from medspan.model.tagger import load_tagger
from medspan.model.viterbi import fit_temperature

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from medspan.model.spec import ModelSpec
    from medspan.model.tagger import Tagger
    from medspan.model.viterbi import DevBatch
    from medspan.types import Document

_SPREAD = 0.5
"""Of the prior: a few dozen predictions would else give temperatures at the ends of the range. Chosen among
none, 1.0, 0.5 and 0.3 on the tuning half of three cases of ``benchmarks/correct.py``."""
_DIGITS = 4


def dev_batches(tagger: Tagger, documents: Sequence[Document]) -> dict[str, list[DevBatch]]:
    """By head, the emissions of documents and their gold, as `fit_temperature` takes them."""
    batches: dict[str, list[DevBatch]] = {name: [] for name in tagger.decoders}
    for scored in tagger.score(documents):
        units = [scored.units.unit(member) for member in scored.members.tolist()]
        for name, decoder in tagger.decoders.items():
            gold = [unit_chunks(documents[unit.document], unit, decoder.labels) for unit in units]
            batches[name].append((scored.emissions[name], scored.lengths, gold))
    return batches


def calibrate(folder: Path, documents: Sequence[Document]) -> bool:
    """Fit the temperatures of a model's heads to a few annotated documents, and write the model anew.

    Args:
        folder: of the model.
        documents: annotated with its labels.

    Returns:
        False, and nothing is done, where scores decide what the model finds (a threshold, or overlaps of
        which one is kept).

    Raises:
        ModelError: if the model is damaged.
    """
    model = open_model(folder)
    if _is_led_by_scores(model.spec):
        return False
    tagger = load_tagger(folder, device="cpu", threads=1)
    for name, batches in dev_batches(tagger, documents).items():
        decoder = tagger.decoders[name]
        tagger.decoders[name] = decoder.with_temperature(
            round(fit_temperature(decoder, batches, spread=_SPREAD), _DIGITS)
        )
    heads = tuple(
        msgspec.structs.replace(head, temperature=tagger.decoders[head.name].temperature)
        for head in model.spec.heads
    )
    files = {name: model.read(name) for name in model.spec.files}
    save_model(folder, model.spec.replace(heads=heads), {**files, GOLDEN: make_golden(tagger, GOLDEN_TEXTS)})
    return True


def _is_led_by_scores(spec: ModelSpec) -> bool:
    return spec.overlap != "all" or any(head.threshold for head in spec.heads)

"""The model card: README.md of a model folder, generated from what is known, never written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.config import Recipe
    from medspan.model.spec import Provenance


def model_card(
    recipe: Recipe, provenance: Provenance, dev: Mapping[str, float], tests: Mapping[str, Mapping[str, float]]
) -> str:
    """The card as Markdown.

    Args:
        recipe: what was trained.
        provenance: when, with what, on which corpora.
        dev: strict dev F1 by corpus.
        tests: by corpus, ``f1``, ``low`` and ``high`` (95 % interval) of the test split; may be empty.
    """
    shipped = {name: head for name, head in recipe.heads.items() if head.ships}
    labels = ", ".join(label for head in shipped.values() for label in head.labels)
    lines = [
        f"# {recipe.name}",
        "",
        recipe.description or "A medspan model.",
        "",
        f"- finds: {labels}",
        f"- language: {recipe.language}",
        f"- encoder: {recipe.encoder.__struct_config__.tag}",
        f"- licence of the weights: {recipe.licence}",
        f"- made: {provenance.date}, medspan {provenance.medspan}, torch {provenance.torch}, seed {provenance.seed}",
        f"- command: `{provenance.command}`",
        "",
        "## Scores",
        "",
        "Strict entity micro-F1 (span and label). Dev splits selected the checkpoint; test splits chose nothing.",
        "",
        "| corpus | dev | test | 95 % interval |",
        "|---|---|---|---|",
        *(_row(name, dev.get(name), tests.get(name)) for name in dict.fromkeys([*dev, *tests])),
        "",
        "## Training data",
        "",
        "| corpus | licence |",
        "|---|---|",
        *(f"| {corpus.name} | {corpus.licence} |" for corpus in provenance.corpora),
        "",
        "Sentences equal to a sentence of a registered test split were "
        + ("kept, as the published protocol does." if recipe.train.keep_leaks else "left out of training."),
        "",
        "## Intended use and limits",
        "",
        "Finds mentions in research text and clinical notes for search, statistics and pre-annotation. Not a "
        "medical device: it decides nothing about a patient, and every use that could needs a person's check. "
        "It was trained on the corpora above; on other kinds of text (clinical shorthand, other languages) expect "
        "lower scores and measure them with `medspan evaluate` on your own annotations. Words are the smallest "
        "unit: it cannot mark part of a word. It finds what the corpora annotate, with their habits and gaps.",
        "",
    ]
    return "\n".join(lines)


def _row(name: str, dev: float | None, test: Mapping[str, float] | None) -> str:
    shown = f"{dev:.4f}" if dev is not None else "–"
    if test is None:
        return f"| {name} | {shown} | – | – |"
    return f"| {name} | {shown} | {test['f1']:.4f} | {test['low']:.4f}–{test['high']:.4f} |"

"""The model card: README.md of a model folder, generated from what is known, never written by hand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.config import Recipe
    from medspan.model.spec import Provenance

_SHARE_ALIKE = re.compile(r"\bSA\b|share.?alike|\bA?GPL", re.IGNORECASE)
_UNSTATED = re.compile(r"^\W*$|not stated|unstated|unknown|not in the catalogue|no explicit", re.IGNORECASE)


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
    labels = ", ".join(dict.fromkeys(label for head in shipped.values() for label in head.labels))
    start = provenance.start
    fate = "kept, as the published protocol does" if recipe.train.keep_leaks else "left out of training"
    facts = {
        "finds": labels,
        "language": recipe.language,
        "encoder": recipe.encoder.__struct_config__.tag,
        "licence of the weights": recipe.licence,
        "made": f"{provenance.date}, medspan {provenance.medspan}, torch {provenance.torch}",
        "seed": provenance.seed,
        **({"started from": f"{start.name} ({start.licence})"} if start else {}),
        "command": f"`{provenance.command}`",
    }
    rows = [_row(name, dev.get(name), tests.get(name)) for name in dict.fromkeys([*dev, *tests])]
    corpora = [f"| {corpus.name} | {corpus.licence} |" for corpus in provenance.corpora]
    learnt = {corpus.name for corpus in provenance.corpora}
    texts = {text.name: text.licence for text in provenance.texts if text.name not in learnt}
    corpora.extend(f"| {text}, to start from | {licence} |" for text, licence in texts.items())
    return _CARD.format(
        name=recipe.name,
        description=recipe.description or "A medspan model.",
        facts="\n".join(f"- {key}: {value}" for key, value in facts.items()),
        scores="\n".join(rows),
        corpora="\n".join(corpora),
        fate=fate,
        teachers=_teachers(provenance),
    )


def _teachers(provenance: Provenance) -> str:
    """The section on who taught the model, and what follows from their licences; empty where nobody did."""
    if not provenance.teachers:
        return ""
    rows = [f"| {t.name} | {t.weight:g} | `{t.model[:12]}` | {t.licence} |" for t in provenance.teachers]
    listed = {each.name: each.licence for each in (*provenance.corpora, *provenance.texts)}
    learnt = {corpus.name: corpus.licence for t in provenance.teachers for corpus in t.corpora}
    sources = [f"| {text.name}, unlabelled | {text.licence} |" for text in provenance.unlabelled]
    sources += [f"| {name}, by the teachers | {ls} |" for name, ls in learnt.items() if name not in listed]
    named: dict[str, dict[str, None]] = {}
    for teacher in provenance.teachers:
        named.setdefault(teacher.licence, {})[teacher.name] = None
    notes = "".join(_licence_note(licence, ", ".join(names)) for licence, names in named.items())
    return _TEACHERS.format(rows="\n".join(rows), sources="\n".join(sources), notes=notes)


def _licence_note(licence: str, teachers: str) -> str:
    """What follows from a licence; empty where nothing does."""
    if _UNSTATED.search(licence):
        return (
            f"\nThe licence of {teachers} is not stated: ask those who made it before you pass these "
            "weights on.\n"
        )
    if _SHARE_ALIKE.search(licence):
        return (
            f"\nThe licence of {teachers} ({licence}) is share-alike: pass these weights on under the same "
            "one.\n"
        )
    return ""


_TEACHERS = """
## Teachers

These models labelled unlabelled text, and this one learnt from that first.

| teacher | weight | digest | licence |
|---|---|---|---|
{rows}

| what was read | licence |
|---|---|
{sources}
{notes}"""

_CARD = """\
# {name}

{description}

{facts}

## Scores

Strict entity micro-F1 (span and label). Dev splits selected the checkpoint; test splits chose nothing.

| corpus | dev | test | 95 % interval |
|---|---|---|---|
{scores}

## Training data

| corpus | licence |
|---|---|
{corpora}

Sentences equal to a sentence of a registered test split were {fate}.
{teachers}
## Intended use and limits

Finds mentions in research text and clinical notes for search, statistics and pre-annotation. It is not a
medical device: it decides nothing about a patient, and every use that could needs a person's check. It was
trained on the corpora above; on other kinds of text (clinical shorthand, other languages) expect lower scores
and measure them with `medspan evaluate` on your own annotations. Words are the smallest unit: it cannot mark
part of a word. It finds what the corpora annotate, with their habits and gaps.
"""


def _row(name: str, dev: float | None, test: Mapping[str, float] | None) -> str:
    shown = "-" if dev is None else f"{dev:.4f}"
    if test is None:
        return f"| {name} | {shown} | - | - |"
    return f"| {name} | {shown} | {test['f1']:.4f} | {test['low']:.4f} to {test['high']:.4f} |"

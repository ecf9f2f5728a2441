"""The verbs ``terminology learn`` and ``terminology fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medspan.cli.train import need_training_extra
from medspan.tasks.resolution.learning import FitSettings, fit_index, learn_index

Folder = Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of an index; it is written anew.")]
Mentions = Annotated[
    list[str], typer.Option(metavar="CORPUS", help="Annotated mentions to fit to; may be repeated.")
]
Split = Annotated[str, typer.Option(help="Of the corpora; not one whose mentions are names of the index.")]
Own = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CORPUS",
        help="Whose train mentions the index has; each document is left out in turn.",
    ),
]
Labels = Annotated[list[str] | None, typer.Option("--label", help="Of the mentions; all otherwise.")]
Epochs = Annotated[int, typer.Option(min=1, help="Times each name is seen.")]
Width = Annotated[int, typer.Option(min=8, max=512, help="Numbers of an embedding.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every draw.")]


def learn(index: Folder, epochs: Epochs = 6, width: Width = 96, seed: Seed = 13) -> None:
    """Learn embeddings of the names of an index, so that names that look different are found too."""
    need_training_extra()
    from medspan.train.names import Names, NameSettings, learn_encoder  # noqa: PLC0415 - torch only when training

    settings = NameSettings(width=width, epochs=epochs, seed=seed)

    def tell(line: str) -> None:
        typer.echo(line, err=True)

    learn_index(index, lambda *parts: learn_encoder(Names(*parts), settings, tell))
    tell(f"{index}: has embeddings of its names")


def fit(
    index: Folder, mentions: Mentions, split: Split = "dev", labels: Labels = None, own: Own = None
) -> None:
    """Fit the ranking of an index, and what its scores are worth, to annotated mentions."""
    settings = FitSettings(tuple(mentions), split, tuple(labels or ()), tuple(own or ()))
    found = fit_index(index, settings)
    typer.echo(
        f"{index}: fitted to {found.mentions:,} mentions, {found.right:.1%} of them right (cross-validated)",
        err=True,
    )

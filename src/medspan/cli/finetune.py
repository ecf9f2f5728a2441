"""The verb ``finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medspan.cli.train import command_of, need_training_extra, plain_console, progress_bar


def finetune(  # noqa: PLR0917 - options of a verb
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe the model was trained with.")],
    start: Annotated[
        Path, typer.Option("--from", metavar="MODEL", help="The model of many corpora that is gone on with.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder of the models, one a head.")
    ],
    heads: Annotated[
        list[str] | None,
        typer.Option("--head", metavar="HEAD", help="Only this head; may be given several times."),
    ] = None,
    with_single: Annotated[
        bool, typer.Option("--single/--no-single", help="Also train each head alone, to compare.")
    ] = True,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep finished runs, go on with the rest.")
    ] = False,
) -> None:
    """Go on with each head of a model of many corpora by itself.

    For every head: fine-tune the model on the head's corpora, train the head alone from where the recipe
    starts, and keep what has the best dev F1 of the model as it was, the fine-tuned and the single one.
    Models are written to FOLDER/HEAD, their scores to FOLDER/choices.json.
    """
    need_training_extra()
    from medspan.train.finetune import Job  # noqa: PLC0415 - torch loads only when training
    from medspan.train.finetune import finetune as run  # noqa: PLC0415 - torch loads only when training

    console = plain_console()
    command = command_of("finetune", recipe, output, start)
    job = Job(recipe, start, output, command, device, with_single)  # type: ignore[arg-type]
    with progress_bar(console) as watcher:
        run(
            job,
            heads or (),
            watcher=watcher,
            tell=console.print,
            resume=resume,
        )
    console.print(f"models written to {output}")

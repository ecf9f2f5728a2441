"""The verb ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medspan.cli.train import Start, command_of, need_training_extra


def export(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe the run was made with.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL", help="Model folder to write.")],
    run: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run folder of the training; MODEL.run otherwise.")
    ] = None,
    towards_last: Annotated[
        float,
        typer.Option(min=0, max=1, help="0: weights of the best epoch, 1: of the last, between: a mean."),
    ] = 0.0,
    start: Start = None,
) -> None:
    """Write the model of an earlier run anew.

    For when only the [export] part of the recipe changed: half precision, the rank of the first layer, which
    overlapping entities are kept. Or, with --towards-last, where the best epoch is worse than another on a
    corpus that counts. The graph is proved equal to the network, and dev scores are measured anew.
    """
    need_training_extra()
    from medspan.train.run import export_again  # noqa: PLC0415 - torch loads only when it is needed

    export_again(
        recipe,
        run or output.with_name(f"{output.name}.run"),
        output,
        tell=lambda line: typer.echo(line, err=True),
        start=start,
        towards_last=towards_last,
        command=lambda verb: command_of(verb, recipe, output, start),
    )
    typer.echo(f"model written to {output}; try: medspan annotate --model {output} FILE", err=True)

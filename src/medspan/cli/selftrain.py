"""The verb ``weak selftrain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from medspan.cli.train import command_of, need_training_extra, plain_console, progress_bar

if TYPE_CHECKING:
    from medspan.model.session import Device


Recipe = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="The recipe (.toml) the model was trained by.")
]
Model = Annotated[str, typer.Option(metavar="MODEL", help="The model folder that labels first.")]
Texts = Annotated[
    list[str],
    typer.Option(metavar="TEXT", help="A file or folder of unlabelled text; may be repeated."),
]
Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="OUT", help="Folder of the run; OUT/model is its model.")
]
ReadAs = Annotated[
    str | None,
    typer.Option("--from", metavar="FORMAT", help="Format of the text, where names do not tell."),
]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds at most.")]
Seed = Annotated[
    list[int] | None,
    typer.Option(min=0, help="Seed of a model of each round; may be repeated; the recipe's otherwise."),
]
Precision = Annotated[
    float, typer.Option(min=0, max=1, help="Share of what is trusted that must be right on dev.")
]
Count = Annotated[int, typer.Option(min=1, help="Sentences with entities that join training at most.")]
Negatives = Annotated[float, typer.Option(min=0, help="Sentences without entities, for each one with.")]
Weight = Annotated[float, typer.Option(min=0.01, help="How often such a sentence is seen in an epoch.")]
DeviceName = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to train.")]
MaxMinutes = Annotated[float | None, typer.Option(min=0.01, help="Stop each training after so many minutes.")]


def selftrain(  # noqa: PLR0917 - typer declares options as defaults
    recipe: Recipe,
    model: Model,
    text: Texts,
    output: Output,
    read_as: ReadAs = None,
    rounds: Rounds = 1,
    seed: Seed = None,
    precision: Precision = 0.95,
    count: Count = 5000,
    negatives: Negatives = 0.5,
    weight: Weight = 1.0,
    device: DeviceName = "auto",
    max_minutes: MaxMinutes = None,
) -> None:
    """Train on what a model finds in unlabelled text and is sure of.

    A round whose models score below the present one on dev is dropped. The same command goes on with a run
    that was stopped. Exit code 1: no round was kept, and MODEL stays the best.
    """
    need_training_extra()
    from medspan.pipeline import find_model  # noqa: PLC0415 - --help stays quick
    from medspan.train.run import train  # noqa: PLC0415 - torch loads only when training
    from medspan.train.selftrain import SelfTraining, self_train  # noqa: PLC0415 - as above

    console = plain_console()
    tell = console.print

    def train_one(path: Path, folder: Path) -> None:
        is_begun = (folder.with_name(f"{folder.name}.run") / "checkpoint.safetensors").exists()
        with progress_bar(console) as watcher:
            train(
                path,
                folder,
                watcher=watcher,
                tell=tell,
                device=cast("Device", device),
                resume=is_begun,
                max_minutes=max_minutes,
                command=command_of("train", path, folder),
            )

    settings = SelfTraining(
        recipe=str(recipe),
        model=str(find_model(model)),
        texts=tuple(text),
        read_as=read_as,
        rounds=rounds,
        seeds=tuple(seed or ()),
        share=precision,
        count=count,
        negatives=negatives,
        weight=weight,
    )
    result = self_train(settings, output, train=train_one, tell=tell)
    if not result.is_better:
        tell(f"no round was kept: {model} stays the best")
        raise typer.Exit(1)
    tell(f"dev F1 {result.dev_start:.4f} -> {result.dev_end:.4f}; model written to {output / 'model'}")

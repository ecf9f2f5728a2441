"""The verb ``train``."""

from __future__ import annotations

import importlib.util
import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from medspan.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.train.checkpoint import EpochRow, State


class _Bar:
    """Shows a run on stderr: a bar on a terminal, a line an epoch everywhere."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._task = progress.add_task("training", total=None, f1="")

    def on_step(self, state: State, total_steps: int, loss: float) -> None:  # noqa: ARG002 - a Watcher's signature
        self._progress.update(self._task, completed=state.step, total=total_steps)

    def on_epoch(self, row: EpochRow, *, is_best: bool) -> None:
        scores = ", ".join(f"{name} {score:.4f}" for name, score in row.dev.items())
        mark = " *" if is_best else ""
        self._progress.update(self._task, f1=f"dev F1 {row.dev_mean:.4f}")
        self._console.print(
            f"epoch {row.epoch + 1}: loss {row.loss:.3f}, dev F1 {scores}, "
            f"{row.words_per_second:,.0f} words/s, {row.minutes:.1f} min{mark}"
        )


def plain_console() -> Console:
    """Standard error, for lines that may hold brackets: labels and names are no markup."""
    return Console(stderr=True, markup=False, highlight=False)


@contextmanager
def progress_bar(console: Console) -> Iterator[_Bar]:
    """A watcher that shows one training on stderr."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[f1]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield _Bar(console, progress)


def command_of(verb: str, recipe: Path, output: Path, start: Path | None = None) -> str:
    """What the card says made the model: names only, since a path tells of the machine it was made on."""
    known = f"recipes/{recipe.name}" if recipe.parent.name == "recipes" else recipe.name
    begun = ["--from", start.name] if start else []
    return shlex.join(["medspan", *verb.split(), known, "-o", output.name, *begun])


def need_training_extra() -> None:
    """Check that what a network needs is installed, without loading it."""
    for package in ("torch", "onnx"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError("training", package, "train")


Start = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FOLDER",
        help="Start from the encoder of this folder (pretrained, or a model), or of a model by name.",
    ),
]


def train(  # noqa: PLR0917 - options of a verb
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe (.toml); see recipes/.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL", help="Model folder to write.")],
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Stop after so many minutes and keep the best so far.")
    ] = None,
    start: Start = None,
) -> None:
    """Train a model from a recipe.

    Checkpoints, metrics.jsonl and curve.svg stand in MODEL.run; the model folder is written at the end, after
    the exported graph has been proved equal to the network.
    """
    need_training_extra()
    from medspan.train.relations.run import train_relations  # noqa: PLC0415 - torch loads only when training
    from medspan.train.relations.settings import is_relation_recipe  # noqa: PLC0415 - as above
    from medspan.train.run import train as train_tagger  # noqa: PLC0415 - as above

    run = train_relations if is_relation_recipe(recipe) else train_tagger
    console = plain_console()
    with progress_bar(console) as watcher:
        run(
            recipe,
            output,
            watcher=watcher,
            tell=console.print,
            device=device,  # type: ignore[arg-type]
            resume=resume,
            max_minutes=max_minutes,
            start=start,
            command=command_of("train", recipe, output, start),
        )
    console.print(f"model written to {output}; try: medspan annotate --model {output} FILE")

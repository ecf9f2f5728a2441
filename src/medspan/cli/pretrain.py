"""The verbs ``pretrain vectors``, ``pretrain bilm`` and ``pretrain charlm``."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from medspan.cli.train import Start, command_of, need_training_extra
from medspan.errors import MissingExtraError

if TYPE_CHECKING:
    from medspan.train.pretrain.lm import LmRow, LmState
    from medspan.train.pretrain.vectors import VectorRow

_PLAIN_SECONDS = 60.0

Recipe = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe (.toml); see recipes/pretrain-*.")]
Output = Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder to write.")]
TextFolder = Annotated[
    Path | None,
    typer.Option("--text", metavar="DIR", help="Keep the text, once read, here; runs can share it."),
]
DeviceName = Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where to compute.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")]
Minutes = Annotated[
    float | None, typer.Option("--max-minutes", min=0.01, help="Stop after so many minutes of learning.")
]


class _Bar:
    """Shows a run on stderr: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._task = progress.add_task("pretraining", total=None)
        self._said = time.monotonic()

    def at(self, words: int, total: int, more: str = "") -> None:
        """Show how many words were passed."""
        self._progress.update(self._task, completed=words, total=total)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said >= _PLAIN_SECONDS:
            self._said = now
            self._console.print(f"{words:,} of {total:,} words{more}", highlight=False)

    def on_words(self, words: int, total_words: int) -> None:
        """So many words were passed by vectors."""
        self.at(words, total_words)

    def on_epoch(self, row: VectorRow) -> None:
        """An epoch of vectors is done."""
        loss = "none measured" if row.held_out_loss is None else f"{row.held_out_loss:.4f} nats a pair"
        self._console.print(
            f"epoch {row.epoch}: held-out loss {loss}, {row.words_per_second:,.0f} words/s, "
            f"{row.minutes:.1f} min",
            highlight=False,
        )

    def on_step(self, state: LmState, total_words: int, loss: float) -> None:
        """A batch was learnt."""
        self.at(state.words, total_words, f", loss {loss:.3f}, {state.minutes:.1f} min")

    def on_row(self, row: LmRow) -> None:
        """Perplexity was measured."""
        self._console.print(
            f"{row.words:,} words: loss {row.loss:.3f}, perplexity {row.perplexity_forward:.1f} forward, "
            f"{row.perplexity_backward:.1f} backward, {row.words_per_second:,.0f} words/s, "
            f"{row.minutes:.1f} min",
            highlight=False,
        )


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} words"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


def vectors(recipe: Recipe, output: Output, resume: Resume = False, text: TextFolder = None) -> None:
    """Learn word vectors from unannotated text.

    A checkpoint an epoch and metrics.jsonl stand in FOLDER.run. The folder can start a tagger ([transfer] of
    a recipe) or a language model.
    """
    if importlib.util.find_spec("gensim") is None:
        raise MissingExtraError("learning vectors", "gensim", "train")
    need_training_extra()
    from medspan.train.pretrain.run import pretrain_vectors  # noqa: PLC0415 - torch loads only when training

    console = Console(stderr=True)
    with _progress(console) as progress:
        pretrain_vectors(
            recipe,
            output,
            watcher=_Bar(console, progress),
            tell=lambda line: console.print(line, highlight=False, markup=False),
            resume=resume,
            text_folder=text,
            command=command_of("pretrain vectors", recipe, output),
        )
    console.print(f"vectors written to {output}", highlight=False, markup=False)


def bilm(  # noqa: PLR0917 - options of a verb
    recipe: Recipe,
    output: Output,
    device: DeviceName = "auto",
    resume: Resume = False,
    max_minutes: Minutes = None,
    start: Start = None,
    text: TextFolder = None,
) -> None:
    """Learn language models in both directions over words.

    Checkpoints and metrics.jsonl stand in FOLDER.run. The folder can start a tagger ([transfer] of a recipe).
    """
    _learn(
        "bilm", recipe, output, device=device, resume=resume, max_minutes=max_minutes, start=start, text=text
    )


def charlm(  # noqa: PLR0917 - options of a verb
    recipe: Recipe,
    output: Output,
    device: DeviceName = "auto",
    resume: Resume = False,
    max_minutes: Minutes = None,
    start: Start = None,
    text: TextFolder = None,
) -> None:
    """Learn language models in both directions over characters.

    Checkpoints and metrics.jsonl stand in FOLDER.run. The folder can start a char_blstm tagger.
    """
    _learn(
        "charlm",
        recipe,
        output,
        device=device,
        resume=resume,
        max_minutes=max_minutes,
        start=start,
        text=text,
    )


def _learn(
    verb: Literal["bilm", "charlm"],
    recipe: Path,
    output: Path,
    *,
    device: str,
    resume: bool,
    max_minutes: float | None,
    start: Path | None,
    text: Path | None,
) -> None:
    need_training_extra()
    from medspan.train.pretrain.run import pretrain_lm  # noqa: PLC0415 - torch loads only when training

    console = Console(stderr=True)
    with _progress(console) as progress:
        pretrain_lm(
            recipe,
            output,
            verb,
            watcher=_Bar(console, progress),
            tell=lambda line: console.print(line, highlight=False, markup=False),
            device=device,  # type: ignore[arg-type]
            resume=resume,
            max_minutes=max_minutes,
            start=start,
            text_folder=text,
            command=command_of(f"pretrain {verb}", recipe, output, start),
        )
    console.print(
        f"encoder written to {output}; [transfer] of a recipe starts from it", highlight=False, markup=False
    )

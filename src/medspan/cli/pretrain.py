"""The verbs ``pretrain vectors``, ``pretrain bilm``, ``pretrain charlm`` and ``pretrain mlm``."""

from __future__ import annotations

import importlib.util
import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from medspan.cli.train import Start, command_of, need_training_extra, plain_console
from medspan.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from medspan.train.pretrain.lm import LmRow, LmState
    from medspan.train.pretrain.mlm import MlmRow, MlmState
    from medspan.train.pretrain.settings import MlmRecipe
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

# Options of `mlm`; their defaults are those of medspan.train.pretrain.settings.
Texts = Annotated[
    list[str],
    typer.Argument(
        metavar="RECIPE|TEXT...", help="A recipe (.toml), or texts: files, folders or names of corpora."
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="FOLDER|NAME", help="Start from this transformer, or this name of the hub."
    ),
]
Objective = Annotated[
    str | None,
    typer.Option("--objective", metavar="mlm|permutation", help="What is learnt [default: mlm]."),
]
BlockPieces = Annotated[
    int | None, typer.Option("--pieces", min=8, help="Pieces of a block of sentences [default: 128].")
]
NewFamily = Annotated[
    str | None,
    typer.Option("--new", metavar="xlnet|bert", help="Start from a new network with random weights."),
]
Layers = Annotated[int | None, typer.Option("--layers", min=1, help="Of a new network [default: 4].")]
Width = Annotated[int | None, typer.Option("--width", min=2, help="Of a new network [default: 256].")]
Heads = Annotated[int | None, typer.Option("--heads", min=1, help="Of a new network [default: 4].")]
Vocabulary = Annotated[
    int | None, typer.Option("--vocabulary", min=32, help="Pieces of its tokenizer [default: 16000].")
]
MostWords = Annotated[
    int | None, typer.Option("--max-words", min=1, help="Plan to learn from so many words in all.")
]


class _Bar:
    """Shows a run on stderr: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._task = progress.add_task("pretraining", total=None)
        self._said = time.monotonic()
        self._pieces_before = 0

    def at(self, words: int, total: int, more: str = "") -> None:
        """Show how many words were passed."""
        self._progress.update(self._task, completed=words, total=total)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said >= _PLAIN_SECONDS:
            self._said = now
            self._console.print(f"{words:,} of {total:,} words{more}")

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


class _PieceBar(_Bar):
    """The same for a transformer, which learns from pieces."""

    def on_step(self, state: MlmState, total_words: int, loss: float) -> None:  # type: ignore[override]
        """A step was made."""
        speed = (state.pieces - self._pieces_before) / max(1e-9, state.seconds)
        self.at(
            state.words, total_words, f", loss {loss:.3f}, {speed:,.0f} pieces/s, {state.minutes:.1f} min"
        )

    def on_row(self, row: MlmRow) -> None:  # type: ignore[override]
        """The held-out loss was measured."""
        self._pieces_before = row.pieces
        learnt = "" if row.loss is None else f"loss {row.loss:.3f}, "
        self._console.print(
            f"{row.words:,} words, step {row.step:,}: {learnt}held-out loss {row.held_out_loss:.3f} nats a "
            f"piece (pseudo-perplexity {row.pseudo_perplexity:.1f}), {row.pieces_per_second:,.0f} pieces/s, "
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

    console = plain_console()
    with _progress(console) as progress:
        pretrain_vectors(
            recipe,
            output,
            watcher=_Bar(console, progress),
            tell=console.print,
            resume=resume,
            text_folder=text,
            command=command_of("pretrain vectors", recipe, output),
        )
    console.print(f"vectors written to {output}")


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

    console = plain_console()
    with _progress(console) as progress:
        pretrain_lm(
            recipe,
            output,
            verb,
            watcher=_Bar(console, progress),
            tell=console.print,
            device=device,  # type: ignore[arg-type]
            resume=resume,
            max_minutes=max_minutes,
            start=start,
            text_folder=text,
            command=command_of(f"pretrain {verb}", recipe, output, start),
        )
    console.print(f"encoder written to {output}; [transfer] of a recipe starts from it")


def mlm(  # noqa: PLR0917 - options of a verb
    texts: Texts,
    output: Output,
    start: Encoder = None,
    objective: Objective = None,
    pieces: BlockPieces = None,
    new: NewFamily = None,
    layers: Layers = None,
    width: Width = None,
    heads: Heads = None,
    vocabulary: Vocabulary = None,
    max_words: MostWords = None,
    max_minutes: Minutes = None,
    device: DeviceName = "auto",
    resume: Resume = False,
    text: TextFolder = None,
) -> None:
    """Pretrain a transformer on unannotated text.

    Words are hidden from it, and it learns to predict them. Options take the place of what the recipe says.
    Checkpoints and metrics.jsonl stand in FOLDER.run; the folder has the layout of Hugging Face.
    """
    need_training_extra()
    for package in ("transformers", "tokenizers"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError("pretraining a transformer", package, "train")
    from medspan.train.pretrain.mlm_run import pretrain_mlm  # noqa: PLC0415 - torch loads only when training

    sizes = {"layers": layers, "width": width, "heads": heads, "vocabulary": vocabulary}
    settings = {"objective": objective, "pieces": pieces}
    recipe, base = _mlm_recipe(
        texts,
        output,
        start=start,
        new=_given({"family": new, **sizes}),
        mlm=_given({**settings, "words": max_words}),
    )
    console = plain_console()
    with _progress(console) as progress:
        pretrain_mlm(
            recipe,
            output,
            watcher=_PieceBar(console, progress),
            tell=console.print,
            base=base,
            device=device,  # type: ignore[arg-type]
            resume=resume,
            max_minutes=max_minutes,
            text_folder=text,
            command=_mlm_command(
                texts, output, {"from": start, "new": new, **sizes, **settings, "max-words": max_words}
            ),
        )
    console.print(f"transformer written to {output}")


def _given(options: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in options.items() if value is not None}


def _mlm_recipe(
    texts: list[str], output: Path, *, start: str | None, new: dict[str, object], mlm: dict[str, object]
) -> tuple[MlmRecipe, Path]:
    """The recipe, options of the command line in it, and the folder its paths start from."""
    from medspan.train.pretrain import settings  # noqa: PLC0415 - only when training

    is_recipe = [text.endswith(".toml") for text in texts]
    if any(is_recipe) and len(texts) > 1:
        raise UsageError("give one recipe (.toml), or texts without a recipe")
    base = Path(texts[0]).parent if is_recipe[0] else Path()
    if start is not None and Path(start).is_dir():  # else it is a name of the hub
        start = _seen_from(base, Path(start))
    changes = settings.MlmChanges(start, new, mlm)
    if is_recipe[0]:
        return settings.load_mlm_recipe(Path(texts[0]), changes), base
    return settings.mlm_recipe_of(texts, output.name, changes), base


def _seen_from(base: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(folder, base)).as_posix()
    except ValueError:  # on another drive of Windows
        return str(folder.resolve())


def _mlm_command(texts: list[str], output: Path, options: dict[str, object]) -> str:
    """What the card says made the folder: names only, as `command_of`."""
    known = [Path(text).name if Path(text).exists() else text for text in texts]
    if texts[0].endswith(".toml") and Path(texts[0]).parent.name == "recipes":
        known = [f"recipes/{known[0]}"]
    words: list[str] = []
    for name, value in _given(options).items():
        is_folder = name == "from" and Path(str(value)).is_dir()
        words += [f"--{name}", Path(str(value)).resolve().name if is_folder else str(value)]
    return shlex.join(["medspan", "pretrain", "mlm", *known, "-o", output.name, *words])

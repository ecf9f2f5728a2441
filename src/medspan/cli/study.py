"""The verb ``study transfer``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
import typer

from medspan.cli.train import need_training_extra, plain_console, progress_bar
from medspan.config import load_recipe
from medspan.corpora import catalogue
from medspan.corpora.catalogue import find_entry
from medspan.errors import DataError, UsageError
from medspan.study.clashes import Texts, find_clashes
from medspan.study.conflict import LOG, read_conflicts
from medspan.study.gains import FOLDER, STATE, Budget, Runs, Scored, pairs_of, runs_of, train_all
from medspan.study.members import by_type, members_of
from medspan.study.pages import to_html, to_markdown, to_text
from medspan.study.structs import Limits, Study

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from medspan.config import CorpusConfig, Recipe
    from medspan.model.session import Device
    from medspan.study.gains import Run, TrainMembers
    from medspan.study.structs import Conflict
    from medspan.types import Document

REPORT = "transfer"

RecipePath = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="A recipe (.toml) with several corpora and a head for each.")
]
Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="FOLDER", help="Folder for the report and the runs; goes on there."
    ),
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Entity type (group, or labels of heads); may be repeated."),
]
Pairs = Annotated[
    list[str] | None,
    typer.Option(metavar="HELPER:TARGET", help="Train these pairs only, of any types; may be repeated."),
]
NoTrain = Annotated[bool, typer.Option("--no-train", help="Only count; runs that are there are shown.")]
Together = Annotated[
    bool, typer.Option("--together", help="Also train all corpora of a type together, a head each.")
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Epochs of each run; those of the recipe otherwise.")]
Sentences = Annotated[
    int | None, typer.Option(min=1, help="Training sentences of each corpus at most, drawn at random.")
]
Seed = Annotated[
    list[int] | None,
    typer.Option(min=0, help="Seed of the runs; may be repeated; the recipe's otherwise."),
]
Minutes = Annotated[
    float | None, typer.Option(min=0, help="Begin no further run after so many minutes; run again to go on.")
]
AtLeast = Annotated[int, typer.Option(min=1, help="Mentions of a string in the corpus that labels it.")]
Occurs = Annotated[int, typer.Option(min=1, help="Places of that string in the other corpus.")]
WithDev = Annotated[bool, typer.Option("--dev", help="Count dev splits too; test splits never.")]
ConflictRuns = Annotated[
    list[Path] | None,
    typer.Option(
        "--conflict", metavar="RUN", help="A run whose log has gradient conflicts; may be repeated."
    ),
]
ShowText = Annotated[
    bool, typer.Option("--show-text", help="Show strings of your own corpora too, here and in the reports.")
]
DeviceName = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to train.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write the report to stdout as JSON.")]


def transfer(  # noqa: PLR0917 - typer declares options as defaults
    recipe: RecipePath,
    output: Output,
    type: Types = None,  # noqa: A002 - the word for a kind of entity
    pairs: Pairs = None,
    no_train: NoTrain = False,
    together: Together = False,
    epochs: Epochs = None,
    sentences: Sentences = None,
    seed: Seed = None,
    minutes: Minutes = None,
    at_least: AtLeast = Limits().at_least,
    occurs: Occurs = Limits().occurs,
    dev: WithDev = False,
    conflict: ConflictRuns = None,
    show_text: ShowText = False,
    device: DeviceName = "auto",
    as_json: AsJson = False,
) -> None:
    """Show which corpora of a recipe help one another, and where their annotations clash.

    Counts, for corpora of the same entity type, strings that one labels and another does not; then trains
    each corpus alone and with each other one, and compares dev F1. Writes transfer.json, transfer.md and
    transfer.html; the same command goes on with a study that was stopped.
    """
    console = plain_console()
    tell = console.print

    if not no_train:
        need_training_extra()
    loaded = load_recipe(recipe)
    members = members_of(loaded)
    types = by_type(members, type or ())
    wanted = pairs_of(types if not pairs else {"": members}, pairs or ())
    runs = Runs(loaded, members, Budget(epochs, sentences), output)
    logs = {_run_name(path): read_conflicts(path) for path in conflict or ()}
    has_runs = _claim(runs, trains=not no_train)
    limits = Limits(at_least=at_least, occurs=occurs)
    texts = _texts(loaded, recipe.parent, dev=dev, shows_own=show_text, tell=tell)
    study = Study(
        recipe.name,
        "train and dev" if dev else "train",
        limits,
        find_clashes(types, texts, limits, tell=tell),
    )
    del texts
    _write(study, output)
    if not no_train:
        groups = [[member.name for member in group] for group in types.values()] if together else []
        one = _trainer(recipe.parent, sentences, cast("Device", device), console)
        _train(runs, runs_of(wanted, groups, seed or [loaded.train.seed]), one, minutes, tell)
    study = msgspec.structs.replace(
        study,
        gains=runs.gains() if has_runs else (),
        budget=runs.budget.describe(loaded),
        conflicts={**logs, **(_own_conflicts(output) if has_runs else {})},
    )
    _write(study, output)
    typer.echo(study.to_json() if as_json else to_text(study), nl=False)
    tell(f"report written to {output / 'transfer.html'}")


def _claim(runs: Runs, *, trains: bool) -> bool:
    """Make the folder ours; whether it holds, or will hold, runs of the recipe.

    Raises:
        UsageError: if it holds something else.
    """
    folder = runs.folder
    is_ours = (folder / STATE).exists() or (folder / f"{REPORT}.json").exists()
    if folder.exists() and not is_ours and any(folder.iterdir()):
        raise UsageError(f"{folder}: is not empty and holds no study; name another -o")
    folder.mkdir(parents=True, exist_ok=True)
    if not trains:
        return runs.adopt()
    runs.claim()
    return True


def _texts(recipe: Recipe, base: Path, *, dev: bool, shows_own: bool, tell: Callable[[str], None]) -> Texts:
    """The documents of every corpus of a recipe; test splits are never read."""
    from medspan.train.data import load_split, relabel, source_of  # noqa: PLC0415 - needs numpy

    documents: dict[str, list[Document]] = {}
    for name, config in recipe.corpora.items():
        tell(f"reading {name}")
        source = source_of(config.source, base)
        splits = (config.train, config.dev) if dev else (config.train,)
        found = [document for split in splits for document in load_split(source, split, base, config)]
        documents[name] = relabel(found, config.labels)
    public = {name for name, config in recipe.corpora.items() if shows_own or _is_public(config, base)}
    return Texts(documents, {name: config.source for name, config in recipe.corpora.items()}, public)


def _is_public(config: CorpusConfig, base: Path) -> bool:
    """Whether all that is read of a corpus is of the catalogue; the user's own text is not shown unasked."""
    own = any(Path(split).suffix and (base / split).exists() for split in (config.train, config.dev))
    if own or (config.source not in catalogue() and (base / config.source).exists()):
        return False
    try:
        find_entry(config.source)
    except DataError:
        return False
    return True


def _train(
    runs: Runs,
    wanted: Sequence[Run],
    train: TrainMembers,
    minutes: float | None,
    tell: Callable[[str], None],
) -> None:
    """Do the runs that are left, and say how many still are."""
    began = time.monotonic()

    def is_late() -> bool:
        return minutes is not None and time.monotonic() - began >= 60 * minutes

    if left := train_all(runs, wanted, train, tell=tell, is_late=is_late):
        tell(f"{left} runs are left; the same command goes on with them")


def _trainer(base: Path, sentences: int | None, device: Device, console: Console) -> TrainMembers:
    """Trains one run and scores it on dev."""
    from medspan.train.probe import probe  # noqa: PLC0415 - torch loads only when training

    def train(recipe: Recipe, folder: Path) -> tuple[float, dict[str, int], dict[str, Scored]]:
        with progress_bar(console) as watcher:
            done = probe(recipe, base, folder, watcher=watcher, sentences=sentences, device=device)
        return done.minutes, done.sentences, {name: Scored(*best) for name, best in done.best.items()}

    return train


def _run_name(path: Path) -> str:
    """What a run is called in reports: no folders, which tell of the machine."""
    return path.parent.name if path.name == LOG else path.name


def _own_conflicts(output: Path) -> dict[str, tuple[Conflict, ...]]:
    """Conflicts in the logs of the study's own joint runs, where they were measured."""
    found = {log.parent.name: read_conflicts(log) for log in sorted((output / FOLDER).glob(f"*/{LOG}"))}
    return {name: conflicts for name, conflicts in found.items() if conflicts}


def _write(study: Study, output: Path) -> None:
    for ending, text in (("json", study.to_json()), ("md", to_markdown(study)), ("html", to_html(study))):
        (output / f"{REPORT}.{ending}").write_text(text, encoding="utf-8")

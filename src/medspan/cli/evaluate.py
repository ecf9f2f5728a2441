"""The verb ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

import msgspec
import typer
from rich.console import Console
from rich.progress import track

from medspan.cli.scoring import SCORINGS, medication_page
from medspan.corpora import load as load_split
from medspan.errors import UsageError, did_you_mean
from medspan.evaluation import DEFAULT_RESAMPLES, DEFAULT_SEED, mention_surfaces
from medspan.evaluation import evaluate as compare
from medspan.formats import read
from medspan.packaged import missing_package, model_names, named_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medspan.model.session import Device
    from medspan.report import Report
    from medspan.types import Document


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL|PREDICTIONS",
        help="A model folder, the name of a model such as 'default', or a file or folder of predictions.",
    ),
]
Corpus = Annotated[
    str, typer.Argument(metavar="CORPUS", help="A corpus by name, or a file or folder with gold entities.")
]
Split = Annotated[str, typer.Option(help="Which split: train, dev or test; a file is read whole.")]
Format = Annotated[
    str | None, typer.Option(metavar="FORMAT", help="Format of the corpus, where its name does not tell.")
]
LabelMap = Annotated[
    list[str] | None, typer.Option(metavar="A=B", help="Rename label A to B on both sides; may be repeated.")
]
Types = Annotated[
    str | None,
    typer.Option(
        metavar="A,B", help="Score these labels, or 'all' of both sides; else the labels of the corpus."
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FOLDER", help="Write report.json, report.md and report.html."),
]
Train = Annotated[
    str | None,
    typer.Option(metavar="CORPUS", help="Its train split tells seen mentions from unseen ones."),
]
DeviceName = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where the model computes.")]
Resamples = Annotated[int, typer.Option(min=0, help="Bootstrap draws behind the 95 % intervals; 0: none.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the bootstrap draws.")]
NoText = Annotated[bool, typer.Option("--no-text", help="Leave document text out of report.html too.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write the report to stdout as JSON.")]
MinF1 = Annotated[
    float | None, typer.Option(min=0, max=1, help="Exit with code 1 if strict micro F1 is below this.")
]
Scoring = Annotated[
    str,
    typer.Option(
        metavar="entities|i2b2-2009", help="Score entities, or medication entries as that challenge did."
    ),
]


class _Labels(NamedTuple):
    """Which labels to score, and what to tell the reader about that."""

    chosen: tuple[str, ...] | None
    notes: tuple[str, ...]


def evaluate(
    model: Model,
    corpus: Corpus,
    *,
    split: Split = "test",
    format: Format = None,  # noqa: A002 - the word every verb uses
    label_map: LabelMap = None,
    types: Types = None,
    output: Output = None,
    train: Train = None,
    device: DeviceName = "auto",
    resamples: Resamples = DEFAULT_RESAMPLES,
    seed: Seed = DEFAULT_SEED,
    no_text: NoText = False,
    as_json: AsJson = False,
    min_f1: MinF1 = None,
    scoring: Scoring = "entities",
) -> None:
    """Score a model, or predictions, against gold annotations.

    The table goes to stdout, progress to stderr. Strict micro F1 counts an entity as right when its label and
    all its borders are. report.html quotes errors in their context, report.json and report.md hold no text.
    With --scoring i2b2-2009 medication entries are scored; --min-f1 then is of their exact horizontal F1.
    """
    renamed = _label_map(label_map or [])
    _check_device(device)
    if scoring not in SCORINGS:
        raise UsageError(f"--scoring {scoring!r}; {did_you_mean(scoring, SCORINGS)}")
    gold = load_split(corpus, split, format=format)
    if scoring != "entities":
        if output or types or train:
            raise UsageError("--scoring i2b2-2009 only writes to stdout; leave out -o, --types and --train")
        both = [_renamed(side, renamed) for side in (gold, _predicted(model, gold, split, device))]
        page, f1 = medication_page(*both, as_json=as_json)
        typer.echo(page, nl=False)
        _stop_below(min_f1, f1, "exact horizontal F1")
        return
    seen = None if train is None else mention_surfaces(load_split(train, "train"))
    predicted = _predicted(model, gold, split, device)
    labels = _labels(gold, predicted, renamed, types)
    report = compare(
        gold, predicted, labels=labels.chosen, label_map=renamed, seed=seed, resamples=resamples, seen=seen
    ).named(model=model, corpus=_corpus_name(corpus, split), notes=labels.notes)
    typer.echo(report.to_json() if as_json else report.table(), nl=False)
    if output is not None:
        _write(report, output, include_text=not no_text)
    _stop_below(min_f1, report.micro.f1, "strict micro F1")


def _stop_below(min_f1: float | None, f1: float, name: str) -> None:
    if min_f1 is not None and f1 < min_f1:
        typer.echo(f"{name} {f1:.4f} is below --min-f1 {min_f1:.4f}", err=True)
        raise typer.Exit(1)


def _renamed(documents: list[Document], renamed: dict[str, str]) -> list[Document]:
    return [
        document.replace(
            entities=tuple(
                msgspec.structs.replace(entity, label=renamed.get(entity.label, entity.label))
                for entity in document.entities
            )
        )
        for document in documents
    ]


def _label_map(pairs: Iterable[str]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = (part.strip() for part in pair.partition("="))
        if not (old and equals and new):
            raise UsageError(f"--label-map {pair!r} is not of the form OLD=NEW")
        renamed[old] = new
    return renamed


def _check_device(device: str) -> None:
    if device not in {"auto", "cpu", "cuda"}:
        raise UsageError(f"--device {device!r}; {did_you_mean(device, ('auto', 'cpu', 'cuda'))}")


def _predicted(model: str, gold: list[Document], split: str, device: str) -> list[Document]:
    """Predictions read from a file or folder, or made by a model on the gold texts."""
    from medspan.pipeline import load  # noqa: PLC0415 - after the arguments are known to be good

    place = Path(model).expanduser()
    is_model = named_model(model) is not None or (place / "config.json").is_file()
    if not is_model and place.exists():
        return load_split(place, split) if _has_split(place) else list(read(place))
    if not is_model:
        known = ", ".join(model_names()) or "none"
        raise missing_package(model) or UsageError(
            f"{model}: no model folder, no file or folder of predictions, and no shipped model "
            f"(there: {known})"
        )
    annotator = load(model, device=cast("Device", device))
    bare = [document.replace(entities=(), relations=()) for document in gold]
    console = Console(stderr=True)
    made = track(annotator.annotate(bare), "annotating", total=len(bare), console=console, transient=True)
    return list(made)


def _has_split(place: Path) -> bool:
    from medspan.corpora.places import split_files  # noqa: PLC0415 - asked only of folders of predictions

    return place.is_dir() and bool(split_files(place))


def _labels(
    gold: Iterable[Document], predicted: Iterable[Document], renamed: dict[str, str], types: str | None
) -> _Labels:
    """The labels asked for, or those the corpus annotates: it says nothing about others."""
    found = {renamed.get(e.label, e.label) for document in gold for e in document.entities}
    guessed = {renamed.get(e.label, e.label) for document in predicted for e in document.entities}
    if types == "all":
        return _Labels(None, ())
    if types is not None:
        chosen = tuple(dict.fromkeys(part.strip() for part in types.split(",") if part.strip()))
        unknown = [label for label in chosen if label not in found | guessed]
        if unknown or not chosen:
            hint = did_you_mean(unknown[0] if unknown else "", found | guessed)
            raise UsageError(f"--types: no entity has label {', '.join(unknown) or types!r}; {hint}")
        return _Labels(chosen, ())
    extra = sorted(guessed - found)
    if not found or not extra:
        return _Labels(None, ())
    note = (
        f"The corpus does not annotate {', '.join(extra)}: such predictions are not scored. "
        "To count them as wrong, ask for --types all; to rename labels, use --label-map."
    )
    return _Labels(tuple(sorted(found)), (note,))


def _corpus_name(corpus: str, split: str) -> str:
    return corpus if Path(corpus).is_file() else f"{corpus} ({split})"


def _write(report: Report, folder: Path, *, include_text: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "report.json": report.to_json(),
        "report.md": report.to_markdown(),
        "report.html": report.to_html(include_text=include_text),
    }
    for name, page in pages.items():
        (folder / name).write_text(page, encoding="utf-8", newline="\n")
        typer.echo(str(folder / name), err=True)

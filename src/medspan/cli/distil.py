"""The verb ``distil``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from medspan.cli.train import command_of, need_training_extra, plain_console, progress_bar

if TYPE_CHECKING:
    from medspan.model.session import Device

Teachers = Annotated[
    list[str],
    typer.Option("--teacher", metavar="MODEL", help="A model that teaches; may be repeated."),
]
Student = Annotated[Path, typer.Option(metavar="RECIPE", help="The recipe (.toml) of the student.")]
Texts = Annotated[
    list[str],
    typer.Option(metavar="TEXT", help="Unlabelled text: a file, a folder or a corpus; may be repeated."),
]
Output = Annotated[Path, typer.Option("-o", "--output", metavar="MODEL", help="Model folder to write.")]
Weights = Annotated[
    list[float] | None,
    typer.Option("--weight", help="How much a teacher counts: one for each, in their order; else all alike."),
]
ReadAs = Annotated[
    str | None,
    typer.Option("--from", metavar="FORMAT", help="Format of the text, where names do not tell."),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Where soft labels stand, for several runs; MODEL.run/soft otherwise."
    ),
]
KeepEmpty = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Share of the sentences without a likely mention that teaches."),
]
GoldWeight = Annotated[
    float | None,
    typer.Option(min=0, help="How often gold sentences are seen in an epoch with soft ones."),
]
OnlyLabels = Annotated[
    bool, typer.Option("--only-labels", help="Stop when the text is labelled; another run learns from it.")
]
DeviceName = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")]
MaxMinutes = Annotated[
    float | None,
    typer.Option(min=0.01, help="Stop training after so many minutes and keep the best so far."),
]


def distil(  # noqa: PLR0917 - typer declares options as defaults
    teacher: Teachers,
    student: Student,
    text: Texts,
    output: Output,
    weight: Weights = None,
    read_as: ReadAs = None,
    labels: Labels = None,
    only_labels: OnlyLabels = False,
    keep_empty: KeepEmpty = None,
    gold_weight: GoldWeight = None,
    device: DeviceName = "auto",
    resume: Resume = False,
    max_minutes: MaxMinutes = None,
) -> None:
    """Teach a small model what larger ones say of unlabelled text.

    The teachers label the text once, shard by shard; labelling that was stopped goes on by itself. Then the
    student learns from that and from its recipe's corpora, and at last from these alone. Checkpoints and
    metrics.jsonl stand in MODEL.run.
    """
    need_training_extra()
    from medspan.pipeline import find_model  # noqa: PLC0415 - --help stays quick
    from medspan.train.distil.run import DistilSettings  # noqa: PLC0415 - torch loads only when training
    from medspan.train.distil.run import distil as run  # noqa: PLC0415 - as above

    settings = DistilSettings(
        teachers=tuple(str(find_model(name)) for name in teacher),
        texts=tuple(text),
        weights=tuple(weight or ()),
        read_as=read_as,
        labels=labels,
        keep_empty=keep_empty,
        gold_weight=gold_weight,
    )
    console = plain_console()
    with progress_bar(console) as watcher:
        run(
            settings,
            student,
            output,
            watcher=watcher,
            tell=console.print,
            device=cast("Device", device),
            resume=resume,
            max_minutes=max_minutes,
            only_labels=only_labels,
            command=command_of("distil --student", student, output),
        )
    made = f"model written to {output}; try: medspan annotate --model {output} FILE"
    console.print("the text is labelled" if only_labels else made)

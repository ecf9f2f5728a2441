"""The verbs ``terminology build``, ``terminology look`` and ``terminology check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from medspan.tasks.resolution.index import Index
from medspan.tasks.resolution.lookup import Lookup
from medspan.tasks.resolution.readers import READERS, ReadSettings
from medspan.tasks.resolution.terminology import UNKNOWN_LICENCE, BuildSettings, build_index
from medspan.tasks.resolution.terms import MOST_BAD_SHARE

Sources = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[SOURCE]...", help="Files, or folders of releases; the first counts as the best."
    ),
]
Output = Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder of the index.")]
Format = Annotated[
    str | None, typer.Option(metavar="FORMAT", help=f"Where names do not tell: {', '.join(READERS)}.")
]
Language = Annotated[
    str | None, typer.Option(metavar="CODE", help="The source's own code; English otherwise; any for all.")
]
Vocabularies = Annotated[
    list[str] | None,
    typer.Option("--vocabulary", metavar="NAME", help="Only of this one (UMLS, RxNorm, Athena); repeatable."),
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Only concepts of this type; may be repeated."),
]
Codes = Annotated[bool, typer.Option("--codes", help="Codes of the vocabularies as ids, e.g. ICD10CM:I21.9.")]
Mentions = Annotated[
    list[str] | None,
    typer.Option(metavar="CORPUS", help="Its annotated mentions become names; may be repeated."),
]
Splits = Annotated[list[str] | None, typer.Option("--split", help="Of the mentions; train otherwise.")]
Labels = Annotated[list[str] | None, typer.Option("--label", help="Of the mentions; all otherwise.")]
Serves = Annotated[
    list[str] | None,
    typer.Option("--for", metavar="A,B", help="Labels of the entities it is for; repeatable; all otherwise."),
]
Prefix = Annotated[str, typer.Option(help="Put before ids that have none: MESH makes MESH:D003924.")]
IndexName = Annotated[str, typer.Option("--name", help="Name of the index; the folder's otherwise.")]
Licence = Annotated[str, typer.Option(help="Licence of the sources, kept with the index.")]
BadShare = Annotated[float, typer.Option("--bad-lines", min=0, max=1, help="Share of lines that may be bad.")]

Folder = Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of an index.")]
Wanted = Annotated[list[str], typer.Argument(metavar="NAME...", help="What to look up.")]
Most = Annotated[int, typer.Option(min=1, help="Concepts to show for each name.")]
NoneBelow = Annotated[
    float | None, typer.Option(min=0, max=1, help="Least probability of the best; the index's own otherwise.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write it as JSON, a line a name.")]


def build(  # noqa: PLR0917 - typer declares options as defaults
    output: Output,
    sources: Sources = None,
    format: Format = None,  # noqa: A002 - the word every verb uses
    language: Language = None,
    vocabularies: Vocabularies = None,
    types: Types = None,
    codes: Codes = False,
    mentions: Mentions = None,
    splits: Splits = None,
    labels: Labels = None,
    serves: Serves = None,
    prefix: Prefix = "",
    name: IndexName = "",
    licence: Licence = UNKNOWN_LICENCE,
    bad_lines: BadShare = MOST_BAD_SHARE,
) -> None:
    """Build an index of the names of a terminology.

    Reads tables (CSV, TSV with the columns id and name), OBO, UMLS and RxNorm RRF, SNOMED CT RF2 and the OMOP
    vocabularies of Athena, packed or not. Bad lines are counted and named.
    """
    settings = BuildSettings(
        format=format,
        read=ReadSettings(language, tuple(vocabularies or ()), tuple(types or ()), codes),
        mentions=tuple(mentions or ()),
        splits=tuple(splits or ("train",)),
        labels=tuple(labels or ()),
        serves=tuple(label.strip() for each in serves or () for label in each.split(",") if label.strip()),
        prefix=prefix,
        name=name,
        licence=licence,
        most_bad=bad_lines,
    )
    spec = build_index(sources or (), output, settings, lambda line: typer.echo(line, err=True))
    typer.echo(f"{output}: {spec.names:,} names of {spec.concepts:,} concepts", err=True)


def look(
    index: Folder, names: Wanted, most: Most = 5, none_below: NoneBelow = None, as_json: AsJson = False
) -> None:
    """Look up names in an index."""
    lookup = Lookup(index, most=most, none_below=none_below)
    for name in names:
        found = lookup(name)
        if as_json:
            typer.echo(msgspec.json.encode({"name": name, "concepts": found}).decode())
            continue
        typer.echo(name)
        for concept in found:
            typer.echo(f"  {concept.score:.3f}  {concept.id}  {concept.name}")
        if not found:
            typer.echo("  none of these")


def check(index: Folder) -> None:
    """Check every byte of an index against its digests."""
    problems = Index(index).problems()
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{index}: all files are as they were written", err=True)

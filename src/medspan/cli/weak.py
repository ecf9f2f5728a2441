"""The verb ``weak label``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from medspan import formats
from medspan.cli.columns import IdColumn, TextColumn
from medspan.cli.rejected import OnError, RejectedFile, rejected_path, report
from medspan.corpora import load as load_split
from medspan.corpora import local_names
from medspan.formats import files
from medspan.formats.protocol import ReadOptions, WriteOptions
from medspan.weak.dictionary import DictionaryAnnotator
from medspan.weak.terms import UNKNOWN_LICENCE, Terms, corpus_terms, read_terms
from medspan.weak.windows import WindowRules, cut_windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.types import Document
    from medspan.weak.dictionary import CaseRule

_TABLES = (".csv", ".tsv")

Texts = Annotated[
    list[str],
    typer.Argument(metavar="TEXT...", help="Files, folders or - to label; with --split, also a corpus."),
]
TermsPath = Annotated[
    str,
    typer.Option(
        metavar="TERMS",
        help="A .csv or .tsv with the columns term,label[,id]; or a corpus: its surfaces.",
    ),
]
Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="OUT", help="File or folder to write; - for stdout.")
]
Format = Annotated[
    str | None, typer.Option(metavar="FORMAT", help="Format of OUT, where its name does not tell.")
]
ReadAs = Annotated[
    str | None,
    typer.Option("--from", metavar="FORMAT", help="Format to read, where names do not tell."),
]
Split = Annotated[str | None, typer.Option(help="TEXT is a corpus, and this is the split of it to label.")]
TermsSplit = Annotated[str, typer.Option(help="Split whose surfaces are the terms.")]
InsideOnly = Annotated[
    bool,
    typer.Option("--inside-only", help="Leave out surfaces at the edges of texts, which may be cut words."),
]
Licence = Annotated[str | None, typer.Option(help="Licence of the terms, kept with every document.")]
Case = Annotated[
    str,
    typer.Option(
        metavar="smart|exact|any", help="Case that counts: that of short acronyms, of all terms, or none."
    ),
]
Inflect = Annotated[
    str | None, typer.Option(metavar="sv|en", help="Find other forms of the terms' last words too.")
]
Windows = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Write windows of N characters around what is found."),
]
Placements = Annotated[int, typer.Option(min=1, help="Windows for each mention.")]
Negatives = Annotated[float, typer.Option(min=0, help="Windows without a mention, for each one with.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the places of windows.")]
Errors = Annotated[
    OnError, typer.Option(help="Malformed input: stop, or skip it and keep it in OUT.rejected.jsonl.")
]


def label(  # noqa: PLR0917 - typer declares options as defaults
    texts: Texts,
    terms: TermsPath,
    output: Output = files.STANDARD,
    format: Format = None,  # noqa: A002 - the word every verb uses
    read_as: ReadAs = None,
    split: Split = None,
    terms_split: TermsSplit = "train",
    inside_only: InsideOnly = False,
    licence: Licence = None,
    case: Case = "smart",
    inflect: Inflect = None,
    windows: Windows = None,
    placements: Placements = 3,
    negatives: Negatives = 0.5,
    seed: Seed = 13,
    on_error: Errors = OnError.STOP,
    text_column: TextColumn = "text",
    id_column: IdColumn = "id",
) -> None:
    """Label text with the terms of a dictionary.

    The longest term wins, on word borders. What is found can be scored with `medspan evaluate OUT CORPUS`, or
    learnt from as a corpus of your own. Each document's meta says which terms were used and their licence.
    """
    annotator = DictionaryAnnotator(
        _terms(terms, terms_split, licence, inside_only=inside_only),
        case=cast("CaseRule", case),  # the annotator checks it
        language=inflect,
    )
    typer.echo(f"{annotator.lexicon.size:,} terms", err=True)
    rules = None if windows is None else WindowRules(windows, placements, negatives, seed)
    with ExitStack() as stack:
        rejected = RejectedFile(rejected_path(Path(texts[0]), output), stack)
        options = ReadOptions(
            rejected=rejected.add if on_error is OnError.SKIP else None,
            text_column=text_column,
            id_column=id_column,
        )
        found: Iterable[Document] = annotator.annotate(_documents(texts, read_as, split, options))
        if rules is not None:
            found = cut_windows(found, rules)
        wanted = format or ("jsonl" if output == files.STANDARD else None)
        losses = formats.write(found, output, wanted, WriteOptions())
    report(losses, rejected)


def _terms(terms: str, split: str, licence: str | None, *, inside_only: bool) -> Terms:
    if files.suffix_of(Path(terms)) in _TABLES and terms not in local_names():
        return read_terms(Path(terms), licence=licence or UNKNOWN_LICENCE)
    return corpus_terms(terms, split, licence=licence, inside_only=inside_only)


def _documents(
    texts: list[str], read_as: str | None, split: str | None, options: ReadOptions
) -> Iterator[Document]:
    for text in texts:
        if split is not None:
            yield from load_split(text, split, format=read_as)
        else:
            yield from formats.read(Path(text), read_as or ("text" if text == "-" else None), options)

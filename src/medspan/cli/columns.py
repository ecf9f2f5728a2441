"""The options that name columns of a table of documents."""

from __future__ import annotations

from typing import Annotated

import typer

TextColumn = Annotated[str, typer.Option(metavar="NAME", help="Notes and Parquet: the column of the text.")]
IdColumn = Annotated[str, typer.Option(metavar="NAME", help="Notes and Parquet: the column of the id.")]

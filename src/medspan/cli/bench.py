"""The verb ``bench``."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from medspan import formats

if TYPE_CHECKING:
    from medspan.bench import Rate
    from medspan.types import Document

_MOST_DOCUMENTS = 1000


def bench(  # noqa: PLR0917 - typer declares options as defaults
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH...]", help="Texts to measure on; invented ones otherwise."),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="A model folder, or the name of a model.")
    ] = "default",
    read_as: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Format to read, where names do not tell.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, help="Threads of a forward pass; one otherwise, and with --tune one and all cores."
        ),
    ] = None,
    probe: Annotated[bool, typer.Option("--probe", help="Measure the bare encoder only.")] = False,
    tune: Annotated[
        bool, typer.Option("--tune", help="Find the fastest threads and batch size here, and keep them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write it as JSON.")] = False,
) -> None:
    """Measure how fast a model is on this machine.

    Says words a second from text to entities, those of the bare encoder beside it, and how long one note
    of 200 words takes. At most the first 1,000 documents are read.
    """
    from medspan import bench as measure  # noqa: PLC0415 - --help stays quick

    facts: dict[str, Any] = {"model": model}
    if not tune:
        threads = facts["threads"] = threads or 1
    if not probe:
        documents = _documents(paths or [], read_as)
        facts["text"] = "given" if paths else "invented"
    if tune:
        facts |= _tune(model, documents if not probe else measure.invented_documents(), threads)
    elif not probe:
        facts["whole"] = measure.whole(model, documents, threads=threads)
        facts["note_of_200_words"] = measure.latency(model, threads=threads)
    if not tune:
        facts["encoder"] = measure.probe(model, threads=threads)
    if as_json:
        typer.echo(msgspec.json.encode(_plain(facts)).decode())
    else:
        typer.echo("\n".join(_lines(facts)))


def _documents(paths: list[str], read_as: str | None) -> list[Document]:
    from medspan.bench import invented_documents  # noqa: PLC0415 - --help stays quick

    found = (document for path in paths for document in formats.read(Path(path), read_as))
    return list(islice(found, _MOST_DOCUMENTS)) if paths else invented_documents()


def _tune(model: str, documents: list[Document], threads: int | None) -> dict[str, Any]:
    from medspan import bench as measure  # noqa: PLC0415 - --help stays quick
    from medspan.model.store import open_model  # noqa: PLC0415 - as above
    from medspan.model.tuning import write_tuning  # noqa: PLC0415 - as above
    from medspan.pipeline import find_model  # noqa: PLC0415 - as above

    rates = measure.tune(model, documents, threads=[threads] if threads else None)
    found = measure.fastest(rates, time.strftime("%Y-%m-%d"))
    path = write_tuning(open_model(find_model(model)), found)
    tried = {f"threads {n}, batches of {size} words": rate for (n, size), rate in rates.items()}
    return {"tried": tried, "kept": msgspec.to_builtins(found), "kept_in": str(path)}


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {str(key): plain(part) for key, part in value.items()}
        if hasattr(value, "_asdict"):
            return {key: round(part, 2) for key, part in value._asdict().items()}
        return value

    return {key: plain(value) for key, value in facts.items()}


def _lines(facts: dict[str, Any]) -> list[str]:
    threads = f", threads {facts['threads']}" if "threads" in facts else ""
    lines = [f"model {facts['model']}{threads}"]
    if facts.get("text") == "invented":
        lines.append(
            "on invented text, which repeats itself: give files of your own for a figure to plan with"
        )
    for key, what in (("whole", "text to entities"), ("encoder", "bare encoder")):
        if key in facts:
            lines.append(f"{what + ':':<20}{_shown(facts[key])}")
    if "whole" in facts and "encoder" in facts:
        share = facts["whole"].words_per_second / facts["encoder"].words_per_second
        lines.append(f"{'share:':<20}{share:.2f} of the bare encoder's speed")
    if note := facts.get("note_of_200_words"):
        lines.append(f"{'note of 200 words:':<20}{note.median:.1f} ms (19 of 20 within {note.p95:.1f})")
    if "kept" in facts:
        lines += [f"{what + ':':<36}{_shown(rate)}" for what, rate in facts["tried"].items()]
        kept = facts["kept"]
        sizes = ", ".join(f"{size} words with threads {n}" for n, size in kept["batch_words"].items())
        lines.append(f"kept in {facts['kept_in']}: threads {kept['threads']}; batches of {sizes}")
    return lines


def _shown(rate: Rate) -> str:
    return f"{rate.words_per_second:,.0f} words/s ({rate.slowest:,.0f} to {rate.fastest:,.0f})"

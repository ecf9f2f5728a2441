"""The command ``medspan``: a table of verbs, and what happens when one fails.

A verb's module is imported only when its name stands on the command line, so ``medspan --help`` is quick
and loads nothing heavy. Verbs write data to stdout and progress to stderr. Exit codes: 0 good, 1 a check
or a run failed, 2 wrong usage, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from medspan import __version__
from medspan.errors import MedspanError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Verb(NamedTuple):
    """Where a verb lives, and the line that ``medspan --help`` shows.

    ``home`` is ``"module:function"`` under ``medspan.cli``; ``help`` equals the first line of the
    function's docstring (a test holds that).
    """

    home: str
    help: str


VERBS: dict[str, Verb] = {
    "annotate": Verb("annotate:annotate", "Find entities in text, files or folders."),
    "deid": Verb("deid:deid", "Take what identifies people out of text, files or folders."),
    "reidentify": Verb("deid:reidentify", "Put back what a vault of deid kept."),
    "train": Verb("train:train", "Train a model from a recipe."),
    "finetune": Verb("finetune:finetune", "Go on with each head of a model of many corpora by itself."),
    "pretrain vectors": Verb("pretrain:vectors", "Learn word vectors from unannotated text."),
    "pretrain bilm": Verb("pretrain:bilm", "Learn language models in both directions over words."),
    "pretrain charlm": Verb("pretrain:charlm", "Learn language models in both directions over characters."),
    "pretrain mlm": Verb("pretrain:mlm", "Pretrain a transformer on unannotated text."),
    "distil": Verb("distil:distil", "Teach a small model what larger ones say of unlabelled text."),
    "weak label": Verb("weak:label", "Label text with the terms of a dictionary."),
    "weak selftrain": Verb(
        "selftrain:selftrain", "Train on what a model finds in unlabelled text and is sure of."
    ),
    "study transfer": Verb(
        "study:transfer",
        "Show which corpora of a recipe help one another, and where their annotations clash.",
    ),
    "suggest": Verb("suggest:suggest", "Choose the sentences to annotate next."),
    "export": Verb("export:export", "Write the model of an earlier run anew."),
    "evaluate": Verb("evaluate:evaluate", "Score a model, or predictions, against gold annotations."),
    "check": Verb("check:check", "Check a corpus, or a model folder."),
    "convert": Verb("convert:convert", "Convert annotated documents from one format to another."),
    "corpora list": Verb("corpora:list_", "List the public corpora medspan knows."),
    "corpora get": Verb("corpora:get", "Download and convert public corpora."),
    "corpora invent": Verb("corpora:invent", "Write invented discharge notes with medication entries."),
    "terminology build": Verb("terminology:build", "Build an index of the names of a terminology."),
    "terminology learn": Verb(
        "terminology_learn:learn",
        "Learn embeddings of the names of an index, so that names that look different are found too.",
    ),
    "terminology fit": Verb(
        "terminology_learn:fit",
        "Fit the ranking of an index, and what its scores are worth, to annotated mentions.",
    ),
    "terminology look": Verb("terminology:look", "Look up names in an index."),
    "terminology check": Verb("terminology:check", "Check every byte of an index against its digests."),
    "serve": Verb("serve:serve", "Serve models over HTTP, and a page to look and correct on."),
    "bench": Verb("bench:bench", "Measure how fast a model is on this machine."),
    "info": Verb("info:info", "Show versions, models and extras, or describe a model."),
}

GROUPS = {
    "corpora": "Public corpora: list them, get them; invent notes to try things on.",
    "weak": "Learn without annotators: from a dictionary, from a model's own sure sentences.",
    "study": "Find out before training what to train on.",
    "terminology": "From mentions to codes: indexes of terminologies.",
    "pretrain": "Learn from unannotated text what a tagger can start from.",
}

_PACKAGE = str(Path(__file__).parent.parent)

_REPORT = (
    "This is a bug in medspan. Please report it as CONTRIBUTING.md says, with the line above (it holds no "
    "document text). Run again with --debug for the traceback, which may hold document text."
)


def build_app(words: Sequence[str]) -> typer.Typer:
    """The typer application for one command line.

    Args:
        words: the arguments; verbs named among them are imported, the others are shown in help only.
    """
    app = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    app.callback()(_root)
    groups: dict[str, typer.Typer] = {}
    for path, verb in VERBS.items():
        *group, name = path.split()
        parent = app
        if group:
            parent = groups.setdefault(group[0], typer.Typer(no_args_is_help=True, help=GROUPS[group[0]]))
        is_asked_for = name in words and all(part in words for part in group)
        parent.command(name, help=verb.help if not is_asked_for else None)(
            load_verb(verb) if is_asked_for else _not_loaded
        )
    for name, group_app in groups.items():
        app.add_typer(group_app, name=name)
    return app


def load_verb(verb: Verb) -> Callable[..., object]:
    """Import the function behind a verb."""
    module, _, function = verb.home.partition(":")
    found: Callable[..., object] = getattr(import_module(f"medspan.cli.{module}"), function)
    return found


def _not_loaded() -> None:
    """Stand in for a verb that is not on the command line."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medspan {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[  # its callback does the work
        bool,
        typer.Option("--version", help="Show the version and stop.", callback=_show_version, is_eager=True),
    ] = False,
    debug: Annotated[  # main() looks for it, wherever it stands
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")
    ] = False,
) -> None:
    """Find entities in biomedical and clinical text, and learn new ones."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: the words after ``medspan``; those of this process where None.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    _write_utf8()
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last frame before the user: every error ends in a message
        if debug:
            traceback.print_exc()
        return _explain(error)
    return code


def _run(words: list[str]) -> int:
    try:
        build_app(words)(args=words, prog_name="medspan")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def _explain(error: Exception) -> int:
    """Say on stderr what went wrong, without document text, and return the exit code."""
    if isinstance(error, MedspanError):
        typer.echo(f"medspan: {error}", err=True)
        return 2 if isinstance(error, UsageError) else 1
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"medspan: {place}{error.strerror}", err=True)
        return 1
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if each.filename.startswith(_PACKAGE)]
    frame = (own or frames)[-1]
    typer.echo(f"medspan: {type(error).__name__} at {frame.filename}:{frame.lineno}\n{_REPORT}", err=True)
    return 1


def _write_utf8() -> None:
    """Write UTF-8 on every console, also where the platform's default is a code page."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")


def _silence_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter's exit does not complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, io.UnsupportedOperation):
        return

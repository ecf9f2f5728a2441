"""The command line: its table of verbs, what it imports, and how it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import medspan
from medspan.cli import main as cli
from medspan.errors import ConfigError, DataError, MedspanError, MissingExtraError, ModelError, UsageError

SOURCE = str(Path(medspan.__file__).parent.parent)
HEAVY = {"numpy", "onnxruntime", "torch", "msgspec", "rich"}


def run_apart(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run ``python -m medspan`` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": SOURCE, **options.pop("env", {})}
    command = [sys.executable, "-m", "medspan", *words]
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment, check=False, **options
    )


@pytest.fixture
def verb_that(monkeypatch: pytest.MonkeyPatch):
    """Put a function in the place of every verb."""

    def put(function):
        monkeypatch.setattr(cli, "load_verb", lambda _: function)

    return put


@pytest.mark.parametrize("path", cli.VERBS)
def test_every_verb_exists_and_help_is_its_docstring(path: str):
    verb = cli.VERBS[path]
    function = cli.load_verb(verb)
    assert function.__doc__
    assert function.__doc__.splitlines()[0] == verb.help
    for part in path.split()[:-1]:
        assert part in cli.GROUPS


@pytest.mark.parametrize("path", cli.VERBS)
def test_every_verb_has_help(path: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main([*path.split(), "--help"]) == 0
    assert cli.VERBS[path].help in " ".join(capsys.readouterr().out.split())


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for path, verb in cli.VERBS.items():
        group, *rest = path.split()
        assert group in shown
        assert rest or verb.help in shown


def test_help_loads_nothing_heavy():
    program = "import sys; from medspan.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert not HEAVY & {name.split(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("path", cli.VERBS)
def test_help_of_a_verb_loads_neither_torch_nor_onnxruntime(path: str):
    program = (
        f"import sys; from medspan.cli.main import main; main({[*path.split(), '--help']!r}); "
        "print(*sys.modules, file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert not {"torch", "onnxruntime"} & set(done.stderr.split())


def test_version(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"medspan {medspan.__version__}\n"


@pytest.mark.parametrize("words", [[], ["corpora"]])
def test_without_a_verb_help_is_shown(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert "Usage: medspan" in captured.out + captured.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["evalute"], "evaluate"),
        (["info", "--jsn"], "--json"),
        (["convert"], "IN"),
        (["corpora", "lst"], "list"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_near(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert hint in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("a"), 2),
        (ConfigError("recipe.toml: x: unknown key"), 2),
        (MissingExtraError("training", "torch", "train"), 2),
        (DataError("b"), 1),
        (ModelError("c [train] {x}"), 1),
        (MedspanError("d"), 1),
    ],
)
def test_own_errors_are_one_line(error: Exception, code: int, verb_that, capsys: pytest.CaptureFixture[str]):
    def fail() -> None:
        """Fail."""
        raise error

    verb_that(fail)
    assert cli.main(["info"]) == code
    assert capsys.readouterr() == ("", f"medspan: {error}\n")


def test_unexpected_errors_hold_no_document_text(verb_that, capsys: pytest.CaptureFixture[str]):
    def fail() -> None:
        """Fail."""
        raise KeyError("lithium toxicity")

    verb_that(fail)
    assert cli.main(["info"]) == 1
    message = capsys.readouterr().err
    assert "lithium" not in message
    assert "KeyError" in message
    assert "main.py:" in message
    assert "--debug" in message


@pytest.mark.parametrize("words", [["--debug", "info"], ["info", "--debug"]])
def test_debug_shows_the_traceback(words: list[str], verb_that, capsys: pytest.CaptureFixture[str]):
    def fail() -> None:
        """Fail."""
        raise KeyError("lithium toxicity")

    verb_that(fail)
    assert cli.main(words) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_os_error_names_the_file(verb_that, capsys: pytest.CaptureFixture[str]):
    def fail() -> None:
        """Fail."""
        Path("/nowhere/notes.txt").read_bytes()

    verb_that(fail)
    assert cli.main(["info"]) == 1
    assert capsys.readouterr().err == "medspan: /nowhere/notes.txt: No such file or directory\n"


def test_ctrl_c_is_130(verb_that):
    def stop() -> None:
        """Stop."""
        raise KeyboardInterrupt

    verb_that(stop)
    assert cli.main(["info"]) == 130


def test_a_closed_pipe_is_quiet():
    program = (
        "import sys; from medspan.cli import main as cli\n"
        "def talk() -> None:\n"
        "    'Talk.'\n"
        "    for _ in range(100_000): sys.stdout.write('one line of data, and then another\\n')\n"
        "cli.load_verb = lambda _: talk\n"
        "sys.exit(cli.main(['info']))"
    )
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    _, errors = process.communicate(timeout=30)
    assert errors == b""
    assert process.returncode == 1


def test_output_is_utf8_whatever_the_console():
    done = run_apart("--help", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    program = (
        "from medspan.cli import main as cli; import typer\n"
        "def talk() -> None:\n"
        "    'Talk.'\n"
        "    typer.echo('\\u03b2-catenin \\u2013 \\U0001f9ec')\n"
        "cli.load_verb = lambda _: talk\n"
        "cli.main(['info'])"
    )
    environment = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONIOENCODING": "cp1252"}
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, check=True)
    assert shown.stdout.decode("utf-8").strip() == "\u03b2-catenin \u2013 \U0001f9ec"

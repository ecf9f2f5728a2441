"""Make a virtual environment in this clone, install medspan into it, and annotate, test or build.

Standard library only. Needs a network the first time, or a folder of wheels (``WHEELS=folder``, see
docs/install.md). A second run finds the stamp of the first and installs nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "medspan-installed.txt"
LOG = VENV / "medspan-install.log"
OUT = ROOT / "out"
DIST = ROOT / "dist"

PARALLEL = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
"""The suite in two processes: more would each want a gigabyte and a Spark of their own. In the order of its
files: by numbers of tests, the slow ones of Spark, which have few, would come last."""

SYSTEM_PACKAGES = (
    (("javac",), "default-jdk-headless", "Spark and the Java client"),
    (("node",), "nodejs", "the JavaScript examples"),
    (("npm",), "npm", "the JavaScript examples"),
    (("curl",), "curl", "the curl client"),
    (("chromium", "chromium-browser", "google-chrome"), "chromium", "the page"),
)
"""Programs that tests start, any of which will do, the package that has one, and what it is for."""

NO_VENV = """This Python cannot make a virtual environment: its module {missing} is missing.
  Debian, Ubuntu:  sudo apt install python{major}.{minor}-venv   (or python3-venv)
  elsewhere:       install Python from python.org or with pyenv; theirs is complete
Or name another Python:  make {verb} PYTHON=/path/to/python3.12"""

NO_PACKAGES = """pip could not get the packages. Where there is no network, or a proxy stands before it:
  behind a proxy or mirror:  set PIP_PROXY or PIP_INDEX_URL as your site says and run this again
  no network at all:         on a machine with one, of the same system and Python {major}.{minor}, in a clone:
                               python -m pip download -d wheels "{requirement}" hatchling editables
                             carry the folder over, then here:
                               make {verb} WHEELS=/path/to/wheels
                               (or: python -m tools {verb} --wheels /path/to/wheels)"""

# What pip says when it cannot reach an index, or the index or wheel folder lacks a package.
NETWORK_SIGNS = (
    "NewConnectionError",
    "NameResolutionError",
    "Max retries exceeded",
    "ProxyError",
    "ConnectTimeout",
    "ReadTimeout",
    "ConnectionError",
    "SSLError",
    "No matching distribution found",
)


class SetupError(Exception):
    """Setting up failed; the message says what to do."""


def main(words: list[str]) -> int:
    """Run ``annotate``, ``test`` or ``wheels`` and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools", description=__doc__)
    parser.add_argument("verb", choices=("annotate", "test", "wheels"))
    parser.add_argument(
        "--wheels",
        default=os.environ.get("WHEELS", ""),
        help="install from this folder of wheels, without a network (also: the variable WHEELS)",
    )
    options, rest = parser.parse_known_args(words)
    if rest and options.verb != "test":
        parser.error(f"unknown: {' '.join(rest)}")
    try:
        if options.verb == "annotate":
            install("", options)
            return annotate()
        if options.verb == "wheels":
            install("dev", options)
            return build_wheels()
        install("train,dev", options)
        get_programs()
        return run("-m", "pytest", *(() if {"-n", "--numprocesses"} & set(rest) else PARALLEL), *rest)
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def say(line: str) -> None:
    """Tell the user on stderr; stdout is for data."""
    print(line, file=sys.stderr, flush=True)


def venv_python() -> Path:
    """The interpreter of the virtual environment."""
    return VENV / "Scripts" / "python.exe" if os.name == "nt" else VENV / "bin" / "python"


def run(*words: str) -> int:
    """Run the environment's Python in the clone; its output is the user's."""
    return subprocess.call([str(venv_python()), *words], cwd=ROOT)


def annotate() -> int:
    """Annotate examples/: a listing on stdout, JSONL and a page under out/."""
    OUT.mkdir(exist_ok=True)
    listing, page = OUT / "annotations.jsonl", OUT / "annotations.html"
    steps = (
        ("annotate", "examples", "-o", str(listing)),
        ("convert", str(listing), str(page)),
        ("annotate", "examples", "--format", "listing"),
    )
    for step in steps:
        code = run("-m", "medspan", *step)
        if code:
            return code
    say(f"\nWritten: {listing.relative_to(ROOT)}, {page.relative_to(ROOT)} (open it in a browser)")
    return 0


def get_programs() -> None:
    """Have the system's packages bring programs that tests start, where that needs no more rights.

    Without one its tests are skipped, and say how to get it.
    """
    apt = shutil.which("apt-get")
    missing = [(package, use) for programs, package, use in SYSTEM_PACKAGES if not is_there(programs)]
    if not missing or apt is None or os.geteuid() != 0:
        return
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.call([apt, "update"], env=environment, **quiet)
    for package, use in missing:  # one by one: a package this system lacks keeps no other from coming
        say(f"Installing {package} for the tests of {use} ...")
        words = [apt, "install", "--yes", "--no-install-recommends", package]
        if subprocess.call(words, env=environment, **quiet):
            say(f"{package} could not be installed; its tests will be skipped")


def is_there(programs: tuple[str, ...]) -> bool:
    """Whether one of some programs can be started; a Java may also be where JAVA_HOME says."""
    home = os.environ.get("JAVA_HOME")
    if home and Path(home, "bin", programs[0]).is_file():
        return True
    return any(shutil.which(program) for program in programs)


def build_wheels() -> int:
    """Build medspan, and each package of models/ that holds its model, into dist/."""
    packages = [path.parents[3] for path in sorted((ROOT / "models").glob("*/src/*/model/config.json"))]
    for words in ((str(ROOT),), *(("--wheel", str(package)) for package in packages)):
        code = run("-m", "build", "--no-isolation", "--outdir", str(DIST), *words)
        if code:
            return code
    return 0


def install(extras: str, options: argparse.Namespace) -> None:
    """Install medspan with extras into the environment, unless the stamp says it is there."""
    digest = digest_of_clone()
    installed = read_stamp(digest)
    if installed is not None and set(extras.split(",")) - {""} <= installed and works(venv_python()):
        return
    if options.wheels and not Path(options.wheels).expanduser().is_dir():
        raise SetupError(f"WHEELS={options.wheels}: there is no such folder")
    make_venv(options.verb)
    requirement = f".[{extras}]" if extras else "."
    say(f"Installing medspan{requirement[1:]} and what it needs into .venv ...")
    began = time.monotonic()
    pip_install(requirement, options)
    lines = [digest, *sorted((installed or set()) | (set(extras.split(",")) - {""}))]
    STAMP.write_text("\n".join(lines) + "\n", encoding="utf-8")
    say(f"Installed in {time.monotonic() - began:.0f} s.")


def digest_of_clone() -> str:
    """What the installation depends on: place, metadata, version and Python."""
    parts = (
        str(ROOT).encode(),
        (ROOT / "pyproject.toml").read_bytes(),
        (ROOT / "src" / "medspan" / "__init__.py").read_bytes(),
        sys.version.encode(),
    )
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read_stamp(digest: str) -> set[str] | None:
    """The extras installed for this digest, or None where nothing is."""
    try:
        first, *extras = STAMP.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return set(extras) if first == digest else None


def works(python: Path) -> bool:
    """Whether an environment's Python starts, is new enough and has pip."""
    test = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([str(python), "-c", test], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make_venv(verb: str) -> None:
    """Make .venv, or leave it where it works; one that is broken or of an old Python is made anew.

    Raises:
        SetupError: if this Python cannot make one.
    """
    if works(venv_python()):
        return
    names = {"verb": verb, "major": sys.version_info[0], "minor": sys.version_info[1]}
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(NO_VENV.format(missing=module, **names))
    say(f"Making .venv with Python {sys.version.split()[0]} ...")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        reason = (done.stdout + done.stderr).strip()
        if "ensurepip" in reason:
            reason += "\n" + NO_VENV.format(missing="ensurepip", **names)
        raise SetupError(f"No virtual environment could be made in {VENV}:\n{reason}")


def pip_install(requirement: str, options: argparse.Namespace) -> None:
    """Run pip with its output in a log; PIP_* variables and pip's configuration apply as they stand.

    Raises:
        SetupError: if pip fails, with what it said.
    """
    command = [str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check", "-e", requirement]
    if options.wheels:
        command += ["--no-index", "--find-links", str(Path(options.wheels).expanduser().resolve())]
    with LOG.open("wb") as log:
        code = subprocess.call(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    if code:
        raise SetupError(
            explain(LOG.read_text(encoding="utf-8", errors="replace"), requirement, options.verb)
        )


def explain(log: str, requirement: str, verb: str) -> str:
    """What pip complained of, and the remedy where the cause is known."""
    lines = [line.strip() for line in log.splitlines()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-12:]
    shown = "\n".join(f"  | {line}" for line in dict.fromkeys(errors))
    message = f"pip failed; {LOG.relative_to(ROOT)} has the whole of it:\n{shown}\n"
    if "No space left on device" in log:
        return (
            message
            + "The disk is full: medspan needs about 300 MB, with training 1.5 GB (CPU build of torch)."
        )
    if any(sign in log for sign in NETWORK_SIGNS):
        return message + NO_PACKAGES.format(
            verb=verb, requirement=requirement, major=sys.version_info[0], minor=sys.version_info[1]
        )
    return message + "Mend what it names and run this again; what is already installed stays."

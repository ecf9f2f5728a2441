"""What stands beside a speed: F1 on NCBI-disease, the bare encoder's words/s, versions of packages."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from peers import corpus
from peers.processes import environment
from peers.systems import MEDSPAN, SYSTEMS

import medspan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from peers.processes import Contender
    from peers.systems import Found, Text

ACCURACY = "peers.accuracy"


def our_accuracy(folder: str) -> dict[str, Any]:
    """Strict scores of a medspan model on the raw texts of NCBI-disease."""
    recognizer = medspan.load(folder, device="cpu")

    def annotate(pairs: Iterable[Text]) -> Iterator[Found]:
        for document in recognizer.annotate(medspan.Document(*pair) for pair in pairs):
            yield document.id, [(e.start, e.end, e.label) for e in document.entities]

    return {split: corpus.score_raw(split, annotate) for split in ("dev", "test")}


def accuracy(contender: Contender) -> dict[str, Any]:
    """The F1 part of a row: scores and how they were made, or null and why there are none."""
    if contender.system == MEDSPAN:
        if "Disease" not in medspan.load(contender.model, device="cpu").labels:
            return {"f1": None, "why": "finds no Disease"}
        scores, setting = our_accuracy(contender.model), "raw text"
        more: dict[str, Any] = {}
    elif SYSTEMS[contender.system].is_trained:
        command = [contender.python, "-m", ACCURACY, contender.system, contender.model]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment(1))
        scores, setting = json.loads(done.stdout), "gold words and sentences"
        more = {"raw_text_f1": scores["raw_text"]["test"]["f1"]}
    else:
        return {"f1": None, "why": "weights are random or the head is untrained: speed only"}
    return {
        "f1": scores["test"],
        "dev_f1": scores["dev"]["f1"],
        "f1_on": f"NCBI-disease test, {setting}",
        **more,
    }


def probe(folder: str, processes: int, threads: int) -> float:
    """Words/s of the bare encoder in so many processes at once, together.

    Raises:
        SystemExit: if ``medspan bench`` fails.
    """
    command = [sys.executable, "-m", "medspan", "bench", "--probe", "--model", folder, "--json"]
    command += ["--threads", str(threads)]
    settings: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True, "env": environment(threads)}
    with ExitStack() as stack:
        runs = [stack.enter_context(subprocess.Popen(command, **settings)) for _ in range(processes)]
        said = [run.communicate()[0] for run in runs]
    if any(run.returncode for run in runs):
        raise SystemExit("medspan bench --probe failed; its message stands above (or use --no-probe)")
    return sum(json.loads(text)["encoder"]["words_per_second"] for text in said)


def peer_versions(python: str) -> dict[str, str]:
    """Versions of the packages of the peers' environment that matter."""
    names = sorted({package for system in SYSTEMS.values() for package in system.packages})
    code = (
        "import importlib.metadata as m, json, platform, sys\n"
        "v = {'python': platform.python_version()}\n"
        "for n in sys.argv[1:]:\n"
        "    try: v[n] = m.version(n)\n"
        "    except m.PackageNotFoundError: v[n] = 'absent'\n"
        "print(json.dumps(v))"
    )
    done = subprocess.run([python, "-c", code, *names], check=True, stdout=subprocess.PIPE, text=True)
    value: dict[str, str] = json.loads(done.stdout)
    return value

"""The Dockerfile, as far as it can be proved where no engine runs."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from medspan.serve.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


def instructions() -> list[tuple[str, str]]:
    """Instructions and their words, lines that go on joined and comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def the_last(name: str) -> str:
    return [words for found, words in instructions() if found == name][-1]


def hadolint() -> str:
    beside = Path(sys.executable).with_name("hadolint")
    found = str(beside) if beside.exists() else shutil.which("hadolint")
    if found is None:
        if sys.platform == "win32":
            pytest.skip("hadolint has no package for Windows")
        pytest.fail("hadolint is missing; pip install 'medspan[dev]'")
    return found


def lint(file: Path) -> list[str]:
    done = subprocess.run([hadolint(), "--format", "json", str(file)], capture_output=True, check=False)
    return [f"{each['line']}: {each['code']} {each['message']}" for each in json.loads(done.stdout)]


def test_the_linter_has_nothing_to_say(tmp_path: Path) -> None:
    assert lint(ROOT / "Dockerfile") == []
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python:latest\nUSER root\nRUN pip install medspan\n", encoding="utf-8")
    assert {line.split()[1] for line in lint(bad)} >= {"DL3002", "DL3007", "DL3013", "DL3042"}


def test_what_is_copied_is_there_and_not_ignored() -> None:
    copied = [
        words.split()[:-1] for name, words in instructions() if name == "COPY" and "--from" not in words
    ]
    sources = [source for words in copied for source in words]
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert set(sources) == kept
    assert all((ROOT / source).exists() for source in sources)
    built_from = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert built_from["project"]["readme"] in sources
    assert built_from["project"]["license-files"] == ["LICENSE"]
    assert built_from["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["src/medspan"]


def test_models_get_into_the_image_and_secrets_do_not() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    ignored = [line for line in lines if line and not line.startswith(("#", "!", "*"))]
    models = [path.relative_to(ROOT).as_posix() for path in (ROOT / "src/medspan/models").rglob("*")]
    assert any(name.endswith("model.onnx") for name in models)
    assert not any(fnmatch.fnmatch(name, pattern) for name in models for pattern in ignored)
    assert not re.search(
        r"(?i)key|secret|token|password", " ".join(w for n, w in instructions() if n in {"ENV", "ARG"})
    )


def test_it_runs_as_a_user_that_is_a_number_and_not_root() -> None:
    user, _, group = the_last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert [name for name, _ in instructions()].index("USER") > max(
        place for place, (name, _) in enumerate(instructions()) if name in {"RUN", "COPY"}
    )


def test_bases_are_pinned_and_python_is_one_that_medspan_supports() -> None:
    bases = [words.split()[0] for name, words in instructions() if name == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    version = re.fullmatch(r"python:3\.(\d+)-slim-[a-z]+", bases[0])
    assert version
    assert int(version[1]) >= 11


def test_it_starts_the_service_with_options_it_knows() -> None:
    words = json.loads(the_last("ENTRYPOINT"))
    assert words[:2] == ["medspan", "serve"]
    shown = subprocess.run(
        [sys.executable, "-m", "medspan", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(word in shown for word in [*words[2::2], "--keys"])
    assert the_last("EXPOSE") == str(Settings().port)
    extras = re.search(r"\$\{wheel\}\[([a-z,]+)\]", the_last("RUN"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extras
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (None, 1)])
def test_the_health_check_asks_the_service(status: int | None, code: int) -> None:
    command = the_last("HEALTHCHECK")
    words = json.loads(command[command.index("[") :])
    assert f"127.0.0.1:{Settings().port}/healthz" in words[-1]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status or 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if status:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        if not status:
            server.server_close()
        check = words[-1].replace(str(Settings().port), str(port))
        done = subprocess.run([sys.executable, *words[1:-1], check], capture_output=True, check=False)
        if status:
            server.shutdown()
    assert done.returncode == code

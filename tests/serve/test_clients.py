"""The examples in other languages, each against a running service: they give what the Python API gives."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import medspan
from live_service import serving
from medspan.formats.jsonl import as_json
from medspan.serve.keys import add_key
from medspan.tasks.deid.annotator import Deidentifier
from medspan.tasks.deid.policy import load_policy
from other_languages import BROWSER, missing, output, program, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from live_service import Live

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "clients"
TEXTS = {
    "plain.txt": "No sign of lithium toxicity.\nMr. John Smith, born 3/4/1950, has asthma.\n",
    "strange.txt": '\U0001f600 "asthma"\\ \x01\tand\r\nna\u00efve \U0001d6fc lithium toxicity \u05d7\u05d5\u05dc\u05d4 \u2028 type 2\n diabetes',
    "nothing.txt": "Nothing here.",
}


class Client(NamedTuple):
    """How an example is started, and what its offsets count."""

    words: list[str]
    unit: str


def java_program() -> str:
    """Java 17 or newer, with its compiler."""
    home = os.environ.get("JAVA_HOME", "")
    found = f"{home}/bin/java" if home else program("java", "get a JDK of version 17 or newer")
    if "jdk.compiler" not in output([found, "--list-modules"]):
        missing("this Java has no compiler; get a JDK of version 17 or newer, not a JRE")
    return found


def java(folder: Path) -> Client:
    """The Java client, compiled once: to start it from its source takes a second more each time."""
    found = java_program()
    compiler = [found, "-m", "jdk.compiler/com.sun.tools.javac.Main", "-Xlint:all", "-Werror"]
    output([*compiler, "-d", folder, EXAMPLES / "Annotate.java"])
    return Client([found, "-XX:TieredStopAtLevel=1", "-cp", str(folder), "Annotate"], "utf16")


def javascript(_: Path | None = None) -> Client:
    """Node."""
    return Client([program("node", "get Node 18 or newer"), str(EXAMPLES / "annotate.mjs")], "utf16")


def r(_: Path) -> Client:
    """R with two packages, which no CI needs to have."""
    how = "Debian: apt install r-base-core r-cran-curl r-cran-jsonlite"
    found = program("Rscript", how, required=None)
    if run([found, "-e", "stopifnot(requireNamespace('curl'), requireNamespace('jsonlite'))"]).returncode:
        missing(f"R lacks the package curl or jsonlite; {how}", required=None)
    return Client([found, str(EXAMPLES / "annotate.R")], "codepoint")


def curl(_: Path) -> Client:
    """A shell with curl, whose answers are JSON."""
    program("curl", "get curl 7.76 or newer")
    return Client([program("sh", "get a shell"), str(EXAMPLES / "annotate.sh")], "codepoint")


LANGUAGES = {"java": java, "javascript": javascript, "r": r, "curl": curl}


@pytest.fixture(scope="module", params=list(LANGUAGES))
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    found: Client = LANGUAGES[request.param](tmp_path_factory.mktemp(request.param))
    return found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, str]]:
    """A service that wants a key, and a key."""
    folder = tmp_path_factory.mktemp("guarded")
    keys = folder / "keys"
    key = add_key(keys, "examples")
    with serving(folder, "--keys", str(keys), "--workers", "1") as live:
        yield live, key


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name, text in TEXTS.items():
        (tmp_path / name).write_bytes(text.encode())
    return [tmp_path / name for name in TEXTS]


def ask(client: Client, url: str, verb: str, *files: Path, key: str = "") -> subprocess.CompletedProcess[str]:
    return run([*client.words, url, verb, *files], environment={"MEDSPAN_KEY": key})


def answer(client: Client, url: str, verb: str, *files: Path, key: str = "") -> str:
    done = ask(client, url, verb, *files, key=key)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_json(client: Client) -> bool:
    return client.words[-1].endswith(".sh")


def in_unit(text: str, offset: int, unit: str) -> int:
    return offset if unit == "codepoint" else len(text[:offset].encode("utf-16-le")) // 2


def rows_of(client: Client, printed: str) -> list[tuple[str, int, int, str, str]]:
    """What a client printed of each mention: file, start, end, label, text with blanks made equal."""
    lines = printed.splitlines() if is_json(client) else printed.split("\n")[:-1]
    if not is_json(client):
        parts = [line.split("\t") for line in lines]
        return [(file, int(start), int(end), label, text) for file, start, end, label, text in parts]
    answers = [json.loads(line)["documents"][0] for line in printed.split("\n") if line]
    return [
        (file, each["start"], each["end"], each["label"], " ".join(each["text"].split()))
        for file, document in zip(TEXTS, answers, strict=True)
        for each in document["entities"]
    ]


def test_entities_of_files_with_offsets_of_the_language(
    client: Client, guarded: tuple[Live, str], files: list[Path]
) -> None:
    live, key = guarded
    nlp = medspan.load(threads=1)
    expected = [
        (
            name,
            in_unit(text, each.start, client.unit),
            in_unit(text, each.end, client.unit),
            each.label,
            mention,
        )
        for name, text in TEXTS.items()
        for document in [nlp(text)]
        for each in document.entities
        for mention in [" ".join(document.text_of(each).split())]
    ]
    assert len(expected) >= 5
    assert rows_of(client, answer(client, live.url, "annotate", *files, key=key)) == expected


def test_many_documents_as_a_stream(client: Client, guarded: tuple[Live, str], tmp_path: Path) -> None:
    live, key = guarded
    texts = [TEXTS["strange.txt"] + f" and asthma {place}" * (place % 3) for place in range(60)]
    documents = [medspan.Document(f"d\u00e9{place}", text) for place, text in enumerate(texts)]
    file = tmp_path / "documents.jsonl"
    file.write_text(
        "".join(json.dumps({"id": each.id, "text": each.text}) + "\n" for each in documents), encoding="utf-8"
    )
    expected = [json.loads(json.dumps(as_json(each))) for each in medspan.load(threads=1).annotate(documents)]
    for document in expected:
        for entity in document["entities"]:
            entity.update({n: in_unit(document["text"], entity[n], client.unit) for n in ("start", "end")})
    printed = answer(client, live.url, "stream", file, key=key)
    assert [json.loads(line) for line in printed.split("\n") if line] == expected


def test_text_without_what_identifies_people(
    client: Client, guarded: tuple[Live, str], files: list[Path]
) -> None:
    live, key = guarded
    deidentifier = Deidentifier(load_policy("redact"), medspan.load("deid", threads=1))
    (expected,) = deidentifier.annotate([medspan.Document("text", TEXTS["plain.txt"])])
    assert "Smith" not in expected.text
    printed = answer(client, live.url, "deidentify", files[0], key=key)
    if is_json(client):
        printed = json.loads(printed)["documents"][0]["text"]
    assert printed == expected.text


@pytest.mark.parametrize("verb", ["annotate", "stream"])
def test_a_wrong_key_is_told(client: Client, guarded: tuple[Live, str], tmp_path: Path, verb: str) -> None:
    file = tmp_path / "documents.jsonl"
    file.write_text('{"text": "asthma"}\n', encoding="utf-8")
    done = ask(client, guarded[0].url, verb, file, key="wrong")
    assert done.returncode != 0
    assert "401" in done.stderr
    assert done.stdout == ""


def test_what_is_wrong_with_a_file_is_told(client: Client, guarded: tuple[Live, str], tmp_path: Path) -> None:
    live, key = guarded
    latin, absent = tmp_path / "latin.txt", tmp_path / "absent.txt"
    latin.write_bytes("na\xefve Quimby".encode("latin1"))
    for verb, file in (("annotate", latin), ("deidentify", latin), ("annotate", absent), ("stream", absent)):
        done = ask(client, live.url, verb, file, key=key)
        assert done.returncode not in {0, 2}, (verb, file)
        assert file.name in done.stderr
        assert ("UTF-8" in done.stderr) == (file == latin)
        assert "Quimby" not in done.stderr + done.stdout


def test_what_is_wrong_with_a_line_is_told(client: Client, guarded: tuple[Live, str], tmp_path: Path) -> None:
    live, key = guarded
    file = tmp_path / "documents.jsonl"
    file.write_text('{"text": "asthma"}\n{"text": Quimby}\n', encoding="utf-8")
    done = ask(client, live.url, "stream", file, key=key)
    assert done.returncode not in {0, 2}
    assert re.search(r"line 2|documents\.jsonl:2", done.stderr)
    assert "Quimby" not in done.stderr + done.stdout


def test_a_service_that_is_not_there_is_named(client: Client, files: list[Path]) -> None:
    done = ask(client, "http://127.0.0.1:1", "annotate", files[0])
    assert done.returncode not in {0, 2}
    assert "127.0.0.1" in done.stderr


IN_A_PAGE = """async ([url, key, text]) => {
  SOURCE
  const client = new MedspanClient(url, { key });
  const mentions = ({ entities }) => entities.map(({ start, end }) => text.slice(start, end));
  const streamed = [];
  for await (const document of client.stream([{ id: "a", text }, { id: "b", text }])) streamed.push(document.id);
  const refused = await new MedspanClient(url).annotate(text).catch((error) => `${error.status} ${error.requestId}`);
  return [mentions(await client.annotate(text)), streamed, (await client.deidentify(text)).text, refused];
}"""


def test_the_javascript_client_runs_in_a_browser(guarded: tuple[Live, str]) -> None:
    """In a page of the same origin; the service lets no other one ask."""
    live, key = guarded
    source = (EXAMPLES / "medspan-client.mjs").read_text(encoding="utf-8").replace("export class", "class")
    text = TEXTS["strange.txt"] + " of Mr. John Smith"
    with browser() as found:
        page = found.new_page()
        page.goto(f"{live.url}/healthz")
        mentions, streamed, new, refused = page.evaluate(
            IN_A_PAGE.replace("SOURCE", source), [live.url, key, text]
        )
    document = medspan.load(threads=1)(text)
    assert mentions == [document.text_of(each) for each in document.entities]
    assert streamed == ["a", "b"]
    assert new == text.replace("John Smith", "[NAME]")
    assert re.fullmatch("401 [0-9a-f]{16}", refused)


@contextmanager
def browser() -> Iterator[Any]:
    """A Chromium of the system; skips where there is none, fails where MEDSPAN_REQUIRE_BROWSER=1."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None or importlib.util.find_spec("playwright") is None:
        reason = "needs playwright (pip install 'medspan[dev]') and a browser (Debian: apt install chromium)"
        missing(reason, required=BROWSER)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - tests of other clients need none

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


class Busy:
    """A service that is busy for the first requests, then answers; it notes when each came."""

    def __init__(self, refusals: int, wait: str | None) -> None:
        self.refusals, self.wait = refusals, wait
        self.times: list[float] = []

    def answer(self, path: str) -> tuple[int, bytes]:
        self.times.append(time.monotonic())
        if len(self.times) <= self.refusals:
            return 429, b'{"title": "Too Many Requests", "detail": "busy", "request_id": "r1"}'
        line = b'{"id": "text", "text": "a", "entities": []}\n'
        return 200, line if path.endswith("/annotate?offsets=utf16") else b'{"documents": [' + line + b"]}"


@pytest.fixture
def busy(request: pytest.FixtureRequest) -> Iterator[tuple[Busy, str]]:
    state = Busy(*request.param)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = state.answer(self.path)
            self.send_response(status)
            if status == 429 and state.wait is not None:
                self.send_header("Retry-After", state.wait)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield state, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("busy", [(1, "1")], indirect=True)
def test_a_busy_service_is_asked_again_when_it_says(
    client: Client, busy: tuple[Busy, str], files: list[Path]
) -> None:
    state, url = busy
    printed = answer(client, url, "deidentify", files[0])
    assert (json.loads(printed)["documents"][0]["text"] if is_json(client) else printed) == "a"
    assert len(state.times) == 2
    assert 1 <= state.times[1] - state.times[0] < 10


@pytest.mark.parametrize("busy", [(1, "1")], indirect=True)
def test_a_refused_stream_begins_anew(busy: tuple[Busy, str], files: list[Path]) -> None:
    """What was said while busy is no line of the answer."""
    state, url = busy
    files[0].write_text('{"text": "a"}\n', encoding="utf-8")
    printed = answer(javascript(), url, "stream", files[0])
    assert json.loads(printed) == {"id": "text", "text": "a", "entities": []}
    assert len(state.times) == 2


def test_answers_of_a_stream_are_there_as_they_come(client: Client, tmp_path: Path) -> None:
    """The first line is printed though the service has not sent the second."""
    has_first, waited_in_vain = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"id": "1", "text": "a", "entities": []}\n')
            self.wfile.flush()
            if not has_first.wait(20):
                waited_in_vain.set()
            self.wfile.write(b'{"id": "2", "text": "b", "entities": []}\n')

        def log_message(self, *_: object) -> None:
            pass

    file = tmp_path / "documents.jsonl"
    file.write_text('{"text": "a"}\n{"text": "b"}\n', encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = [*client.words, f"http://127.0.0.1:{server.server_port}", "stream", str(file)]
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, env={**os.environ, "NO_PROXY": "127.0.0.1"}
        ) as process:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            has_first.set()
            second = json.loads(process.stdout.read())
        server.shutdown()
    assert (first["id"], second["id"], process.returncode) == ("1", "2", 0)
    assert not waited_in_vain.is_set()


@pytest.mark.parametrize("busy", [(99, "0")], indirect=True)
def test_a_service_that_stays_busy_is_left_alone(busy: tuple[Busy, str], files: list[Path]) -> None:
    state, url = busy
    done = ask(javascript(), url, "annotate", files[0])
    assert done.returncode == 1
    assert "429 Too Many Requests: busy (request r1)" in done.stderr
    assert len(state.times) == 6


def test_wrong_words_show_the_usage(client: Client) -> None:
    if "Annotate" in client.words:
        client = Client([java_program(), str(EXAMPLES / "Annotate.java")], client.unit)  # as users start it
    for words in (["annotate"], ["annotat", "note.txt"]):
        done = run([*client.words, "http://127.0.0.1:1", *words])
        assert done.returncode == 2
        assert "annotate|stream|deidentify" in done.stderr

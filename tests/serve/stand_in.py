"""A small stand-in for `medspan serve` while it is being written: the contract of /v1, in memory."""

from __future__ import annotations

import io
import json
import sys
import tempfile
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import medspan
from medspan import formats
from medspan.formats.jsonl import as_json, from_json
from medspan.tasks.stages import stages_of
from stand_in_project import Project

WEB = Path(medspan.__file__).parent / "serve" / "web"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
STAGES = ["sections", "assertion", "relations"]
MODELS = ("default", "clinical")


class Refused(Exception):
    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


def utf16(text: str) -> list[int]:
    """Of each code point's offset, the one in UTF-16."""
    table, at = [0], 0
    for character in text:
        at += 2 if ord(character) > 0xFFFF else 1
        table.append(at)
    return table


def moved(value: Any, table: list[int]) -> Any:
    """A document's JSON with other offsets."""
    if isinstance(value, dict):
        return {
            key: table[item]
            if key in {"start", "end"} and isinstance(item, int)
            else ([[table[a], table[b]] for a, b in item] if key in {"spans", "sentences"} else moved(item, table))
            for key, item in value.items()
            if True
        }
    return [moved(item, table) for item in value] if isinstance(value, list) else value


class Service:
    def __init__(self, key: str = "") -> None:
        self.key = key
        self.models = {name: medspan.load(name) for name in MODELS}
        self.deidentifiers: dict[str, Any] = {}
        self.project = Project(self)
        self.next_refusals: list[tuple[int, str]] = []

    def offers(self) -> dict[str, Any]:
        return {
            "models": [
                {"name": name, "labels": list(model.labels), "description": f"The {name} model", "licence": "CC BY-SA 4.0"}
                for name, model in self.models.items()
            ],
            "default": "default",
            "stages": STAGES,
            "policies": ["redact", "surrogate"],
            "formats": sorted({"jsonl", "brat", "table", "html", "conll", "pubtator", "bioc_json", "omop"}),
            "project": True,
            "limits": {"body_bytes": 16777216, "documents": 1000, "characters": 1000000},
            "version": medspan.__version__,
        }

    def annotate(self, documents: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any]:
        name = asked.get("model", "default")
        if name not in self.models:
            raise Refused(422, "no such model")
        parts = stages_of(asked.get("stages", STAGES))
        done, errors = [], []
        for place, given in enumerate(documents):
            if not isinstance(given.get("text"), str) or not given["text"]:
                errors.append({"id": given.get("id", str(place)), "place": place, "reason": "the document has no text"})
                continue
            document = medspan.Document(str(given.get("id", "text")), given["text"])
            stream: Any = self.models[name].annotate([document])
            for part in parts:
                stream = part.annotate(stream)
            value = as_json(next(iter(stream)))
            if asked.get("offsets") == "utf16":
                value = moved(value, utf16(given["text"]))
            done.append(value)
        return {"documents": done, "model": name, "offsets": asked.get("offsets", "codepoint"), "errors": errors}

    def deidentify(self, asked: dict[str, Any]) -> dict[str, Any]:
        from medspan.tasks.deid.annotator import Deidentifier  # noqa: PLC0415
        from medspan.tasks.deid.policy import load_policy  # noqa: PLC0415

        policy = asked.get("policy", "redact")
        if policy not in self.deidentifiers:
            self.deidentifiers[policy] = Deidentifier(load_policy(policy), medspan.load("deid"), key=b"k" * 32)
        given = medspan.Document("text", asked["text"])
        (new,) = self.deidentifiers[policy].annotate([given])
        old = self.deidentifiers[policy]
        changes = changes_between(given.text, new, old)
        wide, wide_new = utf16(given.text), utf16(new.text)
        if asked.get("offsets") == "utf16":
            changes = [
                {**one, "start": wide[one["start"]], "end": wide[one["end"]], "new_start": wide_new[one["new_start"]], "new_end": wide_new[one["new_end"]]}
                for one in changes
            ]
        counts: dict[str, int] = {}
        for one in changes:
            counts[one["label"]] = counts.get(one["label"], 0) + 1
        return {"documents": [{"id": "text", "text": new.text, "entities": [], "meta": {"deid": counts}, "changes": changes}], "policy": policy, "errors": []}


def changes_between(text: str, new: medspan.Document, deidentifier: Any) -> list[dict[str, Any]]:
    """What was replaced, by walking both texts."""
    import difflib  # noqa: PLC0415

    matcher = difflib.SequenceMatcher(None, text, new.text, autojunk=False)
    found = []
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal" and b > a and d > c:
            label = next((e.label for e in new.entities if e.start < d and e.end > c), "NAME")
            found.append({"label": label, "start": a, "end": b, "new_start": c, "new_end": d})
    return found


def converted(documents: list[dict[str, Any]], name: str) -> tuple[bytes, str, str]:
    with tempfile.TemporaryDirectory() as folder:
        suffix = {"table": "csv", "omop": "csv", "bioc_json": "json", "pubtator": "txt"}.get(name, name)
        path = Path(folder) / (f"medspan.{suffix}" if name != "brat" else "medspan")
        formats.write([from_json(one, "text") for one in documents], path, name)
        if path.is_dir():
            held = io.BytesIO()
            with zipfile.ZipFile(held, "w") as archive:
                for file in sorted(path.rglob("*")):
                    archive.write(file, file.relative_to(folder))
            return held.getvalue(), "application/zip", f"medspan-{name}.zip"
        return path.read_bytes(), "application/octet-stream", path.name


def handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def answer(self, status: int, body: bytes, kind: str, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", CSP)
            self.send_header("X-Request-Id", "r-1")
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def json(self, value: Any, status: int = 200) -> None:
            self.answer(status, json.dumps(value).encode(), "application/json")

        def serve(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            try:
                if not url.path.startswith("/v1/"):
                    self.file(url.path)
                else:
                    if service.key and self.headers.get("Authorization") != f"Bearer {service.key}":
                        raise Refused(401, "this service wants a key")
                    if service.next_refusals:
                        status, detail = service.next_refusals.pop(0)
                        raise Refused(status, detail)
                    self.route(url.path, dict(parse_qsl(url.query)), body)
            except Refused as refused:
                value = {"type": "about:blank", "title": "Refused", "status": refused.status, "detail": refused.detail, "request_id": "r-1"}
                extra = {"Retry_After": "1"} if refused.status in {429, 503} else {}
                self.answer(refused.status, json.dumps({**value, **refused.more}).encode(), "application/problem+json", **extra)

        do_GET = do_POST = do_PUT = do_PATCH = serve  # noqa: N815

        def file(self, path: str) -> None:
            if path == "/favicon.ico":
                path = "/assets/icon.svg"
            file = WEB / ("index.html" if path == "/" else path.removeprefix("/assets/"))
            if file.parent != WEB or not file.is_file():
                raise Refused(404, "no such file")
            self.answer(200, file.read_bytes(), KINDS[file.suffix] + "; charset=utf-8")

        def route(self, path: str, query: dict[str, str], body: bytes) -> None:
            if path == "/v1/models":
                return self.json(service.offers())
            if path == "/v1/annotate":
                return self.annotate(query, body)
            asked = json.loads(body) if body else {}
            if path == "/v1/deidentify":
                return self.json(service.deidentify(asked))
            if path == "/v1/convert":
                data, kind, name = converted(asked["documents"], asked["format"])
                return self.answer(200, data, kind, Content_Disposition=f'attachment; filename="{name}"')
            if path.startswith("/v1/project"):
                found = service.project.route(self.command, path.removeprefix("/v1/project").strip("/"), query, asked)
                if isinstance(found, tuple):
                    return self.answer(200, *found[:2], Content_Disposition=f'attachment; filename="{found[2]}"')
                return self.json(found)
            raise Refused(404, "no such route")

        def annotate(self, query: dict[str, str], body: bytes) -> None:
            if self.headers.get("Content-Type") == "application/x-ndjson":
                documents = [json.loads(line) for line in body.splitlines() if line.strip()]
                asked: dict[str, Any] = dict(query)
                if "stages" in asked:
                    asked["stages"] = [name for name in asked["stages"].split(",") if name]
            else:
                asked = json.loads(body)
                documents = asked.get("documents") or [{"id": "text", "text": asked.get("text", "")}]
            found = service.annotate(documents, asked)
            if self.headers.get("Accept") == "application/x-ndjson":
                lines = [json.dumps(one) for one in found["documents"]]
                lines += [json.dumps({"id": one["id"], "error": one}) for one in found["errors"]]
                return self.answer(200, ("\n".join(lines) + "\n").encode(), "application/x-ndjson")
            return self.json(found)

    return Handler


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler(Service(*sys.argv[2:])))
    sys.stderr.write(f"medspan serves http://127.0.0.1:{server.server_port}\n")
    sys.stderr.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()

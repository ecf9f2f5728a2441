"""The model folder run from Node: it finds what medspan finds, entity by entity."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import medspan
from medspan.corpora.load import load
from medspan.features.cut import cut
from medspan.features.vocab import build_vocab
from medspan.formats.jsonl import as_json
from medspan.model.golden import read_golden
from medspan.model.spec import CorpusSpec, EncoderSpec, HeadSpec, ModelSpec, Provenance
from medspan.model.store import open_model, pack_decoders, save_model
from medspan.shipped import shipped_models
from medspan.tags import iobes_tags
from medspan.text.sentences import split_sentences
from medspan.text.tokenize import TOKENIZER_ID
from medspan.types import Document, Span
from other_languages import missing, output, program, run

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "node-onnx"
MODELS = ("default", "clinical", "deid")
SCORE_TOLERANCE = 1e-3


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the example with what its lock file names."""
    node_program()
    npm = program("npm", "it comes with Node, from nodejs.org or with: apt install npm")
    folder = tmp_path_factory.mktemp("node") / "node-onnx"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules"))
    done = run([npm, "ci", "--prefer-offline"], cwd=folder)
    if done.returncode:
        missing(f"npm ci could not install what {EXAMPLE.name} needs: {done.stderr.strip()[-500:]}")
    yield folder
    shutil.rmtree(folder)  # 290 MB, which pytest would keep


def node_program() -> str:
    return program("node", "get Node 18 or newer from nodejs.org or with: apt install nodejs")


def by_node(
    example: Path, model: str | Path, documents: list[Document], *options: str
) -> list[dict[str, object]]:
    lines = "".join(json.dumps(without_entities(document)) + "\n" for document in documents)
    folder = shipped_models().get(str(model), model)
    words = [node_program(), "annotate.mjs", folder, "--threads", "1", *options]
    return [json.loads(line) for line in output(words, cwd=example, given=lines).split("\n") if line]


def without_entities(document: Document) -> dict[str, object]:
    return {key: part for key, part in as_json(document).items() if key != "entities"}


def assert_same(found: list[dict], expected: list[dict]) -> int:
    """Returns how many entities were compared."""
    assert [each["id"] for each in found] == [each["id"] for each in expected]
    total = 0
    for ours, theirs in zip(found, expected, strict=True):
        scores = [[entity.pop("score") for entity in each["entities"]] for each in (ours, theirs)]
        assert ours == theirs
        assert scores[0] == pytest.approx(scores[1], abs=SCORE_TOLERANCE)
        total += len(scores[0])
    return total


def by_python(model: str | Path, documents: list[Document], **settings: object) -> list[dict]:
    return [as_json(each) for each in medspan.load(model, threads=1, **settings).annotate(documents)]


WORDS = """
asthma diabetes cancer lithium aspirin BRCA1 IL-2 HeLa kidney mg b.i.d. Dr. Mr. e.g. et al. vitamin C. hepatitis
and The In Patients van mRNA p53 No. 5 19q13. 3 P = 0. 05 1. A. (see [ ) ] ?) ... \u2026 ! , ; : - \u2022 2) *
BACKGROUND: METHODS : CONCLUSION | \u06d4 \u3002 \u300d\u3002 \u0964 \u201d \u00df \u1e9e \u0130 \u0131 \u017f \ufb01 \u0386 \u03c2 \u03a3\u0391\u03a3
\u13a0 \uab70 \u13f8 e\u0301 \u0915\u094d\u0937 \u05d7\u05d5\u05dc\u05d4 \u202eevil\u202c \u200d \u200b \ufeff \u00ad \U0001f600 \U0001d6fc \U0001d7d8 \uff14 \u00b2 \u2460 \u4e94
\U00010400 \U00010428 \U0001f468\u200d\u2695\ufe0f \U000e0041 \ue000 x\u0300\u0301\u0302
""".split()  # noqa: SIM905 - reads better as prose
GAPS = (
    " ",
    " ",
    " ",
    " ",
    "\n",
    "\n\n",
    "",
    "\t",
    "   ",
    "\r\n",
    "\x0b",
    "\x1c",
    "\x85",
    "\u2028",
    "\x00",
    ". ",
)


def strange_texts(count: int) -> list[str]:
    """Words that rules of text turn on, and any character Unicode has, in any order; always the same ones."""
    choose = random.Random(8)  # noqa: S311 - the same texts every time
    assigned = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    makers = (lambda: choose.choice(WORDS),) * 4 + (lambda: choose.choice(assigned),)
    texts = []
    for _ in range(count):
        parts = [choose.choice(makers)() + choose.choice(GAPS) for _ in range(choose.randint(1, 60))]
        texts.append("".join(parts))
    return [*texts, "x" * 300, "\ud83d lone surrogates \ude00 in asthma", "\U0001f600" * 90 + " asthma"]


@pytest.mark.parametrize("model", MODELS)
def test_golden_texts_of_shipped_models_and_strange_ones(example: Path, model: str) -> None:
    golden = read_golden(open_model(shipped_models()[model]).read("golden.json"))
    texts = [*(each.text for each in golden), *strange_texts(200)]
    documents = [Document(str(place), text) for place, text in enumerate(texts)]
    compared = assert_same(by_node(example, model, documents), by_python(model, documents))
    assert compared > {"deid": 50}.get(model, 1000)


@pytest.mark.corpora
@pytest.mark.usefixtures("corpora_dir")
def test_documents_of_real_corpora(example: Path) -> None:
    documents = [
        Document(f"{name}-{each.id}", each.text)
        for name in ("standoff/ncbi-disease", "standoff/bc5cdr")
        for each in load(name, "devel")[:100]
    ]
    assert len(documents) == 200
    assert assert_same(by_node(example, "default", documents), by_python("default", documents)) > 3000


def test_offsets_in_utf16_select_the_mention_in_a_string_of_javascript(example: Path) -> None:
    text = "\U0001f912 fever and \U0001d6fc asthma"
    (found,) = by_node(example, "default", [Document("a", text, sentences=(Span(0, len(text)),))], "--utf16")
    (plain,) = by_python("default", [Document("a", text)])
    units = text.encode("utf-16-le")
    assert len(found["entities"]) == len(plain["entities"]) > 0
    for entity, expected in zip(found["entities"], plain["entities"], strict=True):
        mention = units[2 * entity["start"] : 2 * entity["end"]].decode("utf-16-le")
        assert mention == entity["text"] == expected["text"]
    assert found["entities"][-1]["end"] == plain["entities"][-1]["end"] + 2
    assert found["sentences"] == [[0, len(text) + 2]]


@pytest.mark.parametrize("model", ["default", "clinical"])
def test_labels_scores_and_marked_sentences(example: Path, model: str) -> None:
    text = "Aspirin for asthma and nausea twice daily. No sign of lithium toxicity in the left kidney."
    spans = tuple(Span(*pair) for pair in ((0, 18), (19, 60), (61, len(text))))
    assert [(span.start, span.end) for span in spans] != split_sentences(text)
    documents = [Document("a", text, sentences=spans)]
    labels = ["Disease"] if model == "default" else ["Disease", "Medication"]
    options = ("--labels", ",".join(labels), "--min-score", "0.4")
    expected = by_python(model, documents, labels=labels, min_score=0.4)
    assert assert_same(by_node(example, model, documents, *options), expected) > 1


def test_a_model_in_one_graph_and_a_policy_of_overlap(example: Path, tmp_path: Path) -> None:
    """Emissions by word: two heads that find overlapping mentions, and a threshold."""
    folder = one_graph_model(tmp_path / "tiny")
    texts = ["no asthma here", "severe asthma , asthma", "", " ".join(["severe", "asthma", "here"] * 150)]
    documents = [Document(str(place), text) for place, text in enumerate(texts)]
    assert assert_same(by_node(example, folder, documents), by_python(folder, documents)) > 100


def one_graph_model(folder: Path) -> Path:
    heads = (HeadSpec("long", ("Finding",)), HeadSpec("short", ("Disease",), "softmax", threshold=0.2))
    vocab = build_vocab([["severe", "asthma", "here", "no"]], min_char_count=1)
    random_numbers = np.random.default_rng(3)
    tables = [random_numbers.normal(0, 2, (vocab.n_words, 5)).astype(np.float32) for _ in heads]
    nodes = [helper.make_node("Gather", ["word_ids", "form_index"], ["ids"], axis=0)]
    nodes += [
        helper.make_node("Gather", [f"t{i}", "ids"], [head.output], axis=0) for i, head in enumerate(heads)
    ]
    shapes = {"word_ids": ["forms"], "form_index": ["batch", "words"], "lengths": ["batch"]}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(h.output, TensorProto.FLOAT, ["batch", "words", 5]) for h in heads],
        [numpy_helper.from_array(table, f"t{i}") for i, table in enumerate(tables)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    crf = {
        "transitions": random_numbers.normal(0, 1, (5, 5)),
        "start": random_numbers.normal(0, 1, 5),
        "end": random_numbers.normal(0, 1, 5),
    }
    assert len(iobes_tags(["Finding"])) == 5
    spec = ModelSpec(
        name="tiny",
        language="en",
        encoder=EncoderSpec("window", {"max_chars": 8}),
        heads=heads,
        tokenizer=TOKENIZER_ID,
        inputs=("word_ids", "form_index", "lengths"),
        provenance=Provenance("0", "0", 1, "2025-01-01", "", "0" * 64, (CorpusSpec("invented", "CC0-1.0"),)),
        licence="Apache-2.0",
        overlap="longest",
    )
    files = {
        "vocab.json": vocab.to_json(),
        "model.onnx": model.SerializeToString(),
        "decoder.safetensors": pack_decoders({"long": crf, "short": {}}),
    }
    save_model(folder, spec, files)
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer": "words-2"}, "cuts words as medspan-words-1"),
        ({"inputs": ["piece_ids", "lengths"]}, "runs models over words only"),
        ({"format_version": 99}, "is not the config of a model"),
        ({"files": {"vocab.json": "0" * 64}}, "is not the file the model was saved with"),
        ({"files": {}}, "this model has no file vocab.json"),
        ({"beside": "elsewhere"}, "goes beside the model elsewhere"),
    ],
)
def test_what_cannot_be_run_is_refused(example: Path, tmp_path: Path, change: dict, message: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(shipped_models()["deid"], folder)
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    done = run([node_program(), "annotate.mjs", folder], cwd=example)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "case",
    [
        ("note.txt", b"na\xefve Quimby", "", "note.txt: is not UTF-8"),
        (
            "notes.jsonl",
            b'{"text": "asthma"}\n{"text": "na\xefve Quimby"}\n',
            "",
            "notes.jsonl: is not UTF-8",
        ),
        ("notes.jsonl", b'{"text": "asthma"}\n{"text": Quimby}\n', "", "notes.jsonl:2: is not JSON"),
        ("notes.jsonl", b'{"txt": "Quimby"}\n', "", "notes.jsonl:1: has no text"),
        ("note.txt", b"asthma", "--min-score=high", "--min-score: not a number"),
        ("note.txt", b"asthma", "--threads=", "--threads: not a number"),
    ],
)
def test_what_cannot_be_read_is_told_without_its_text(
    example: Path, tmp_path: Path, case: tuple[str, bytes, str, str]
) -> None:
    name, content, option, message = case
    (tmp_path / name).write_bytes(content)
    words = [node_program(), "annotate.mjs", shipped_models()["deid"], tmp_path / name]
    words += [option] if option else []
    done = run(words, cwd=example)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Quimby" not in done.stdout + done.stderr


def test_a_byte_order_mark_counts(example: Path, tmp_path: Path) -> None:
    """As medspan counts it, in files as in JSON lines."""
    file = tmp_path / "note.txt"
    file.write_bytes("\ufeffMr. John Smith".encode())
    words = [node_program(), "annotate.mjs", shipped_models()["deid"], file]
    found = json.loads(output(words, cwd=example))
    assert found["text"].startswith("\ufeff")
    assert [each["start"] for each in found["entities"]] == [5]


def test_nothing_is_kept_in_the_users_folders(example: Path, tmp_path: Path) -> None:
    """onnxruntime would make an id of this machine and a list of events to send there."""
    words = [node_program(), "annotate.mjs", shipped_models()["deid"]]
    home = str(tmp_path)
    environment = {"HOME": home, "XDG_CACHE_HOME": home, "ORT_DISABLE_TELEMETRY": None}
    assert output(words, cwd=example, given='{"text": "asthma"}\n', environment=environment)
    assert list(tmp_path.rglob("*")) == []


CUT = """
import { Places } from "./src/characters.mjs";
import { unitsOf } from "./src/units.mjs";
const counts = JSON.parse(process.argv[1]).map(([part, times]) => {
  const text = part.repeat(times);
  const units = unitsOf(text, new Places(text), { words: 200, overlap: 40 });
  return [units.length, units.reduce((sum, unit) => sum + unit.words.length, 0)];
});
console.log(JSON.stringify(counts));
"""


def test_a_long_text_without_an_end_is_cut_as_medspan_cuts_it() -> None:
    """In linear time: with its square the program would be ended before it is done."""
    parts = ["a", ".", "! ", "\n", "(", "a\u0301", "\U0001f600", "\u3002", "\u200d", "a.) ", "0. ", "1.\n"]
    texts = [(part, 200_000 // len(part)) for part in parts]
    words = [node_program(), "--input-type=module", "--eval", CUT, json.dumps(texts)]
    expected = []
    for part, times in texts:
        units = list(cut(Document("a", part * times)))
        expected.append([len(units), sum(len(unit.words) for unit in units)])
    assert json.loads(output(words, cwd=EXAMPLE)) == expected


def test_the_tables_are_those_of_the_rules() -> None:
    node_tables = load_tool("node_tables")
    written = json.loads(node_tables.FILE.read_text(encoding="utf-8"))
    current = node_tables.tables()
    if unicodedata.unidata_version != node_tables.UNICODE:
        current |= {name: written[name] for name in node_tables.unicode_tables()}
    assert written == current, "run: python tools/node_tables.py"


def load_tool(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_file_pins_what_the_package_names() -> None:
    package = json.loads((EXAMPLE / "package.json").read_bytes())
    lock = json.loads((EXAMPLE / "package-lock.json").read_bytes())["packages"]
    assert lock[""]["dependencies"] == package["dependencies"]
    assert all(version[0].isdigit() for version in package["dependencies"].values())
    assert all(entry["integrity"] for path, entry in lock.items() if path)

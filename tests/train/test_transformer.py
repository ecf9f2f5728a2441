"""The transformer encoder: transformers' own states, windows, rates, the graph, whole runs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import medspan
from medspan.cli.main import main
from medspan.config import ExportConfig, Transformer, parse_recipe
from medspan.errors import ConfigError, ModelError
from medspan.features.batch import Featurizer
from medspan.features.vocab import build_vocab
from medspan.model.golden import replay
from medspan.model.store import open_model
from medspan.train.encoders import build_encoder
from medspan.train.encoders.transformer import TransformerEncoder
from medspan.train.export import Export
from medspan.train.graph import Graph
from medspan.train.hub import open_hub_model
from medspan.train.loop import Trainer
from medspan.train.network import Network
from medspan.types import Document
from tiny_hub import ALL_FAMILIES, write_hub_model
from tiny_tokenizers import TEXTS
from tiny_training import PROVENANCE, Silent, tiny_corpus, tiny_document, tiny_recipe
from trained import write_recipe

if TYPE_CHECKING:
    from medspan.config import Recipe
    from medspan.train.hub import HubModel

CPU = torch.device("cpu")
ROWS = [*(text.split() for text in TEXTS), ["grey"], ["dry", "lung", "zelvorinxyz"] * 40]


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HubModel]:
    folder = tmp_path_factory.mktemp("hubs")
    return {family: open_hub_model(write_hub_model(folder / family, family)) for family in ALL_FAMILIES}


def encoder_of(hub: HubModel, **settings: object) -> tuple[TransformerEncoder, Featurizer]:
    encoder = TransformerEncoder(Transformer("tiny", **settings), hub).eval()  # type: ignore[arg-type]
    return encoder, Featurizer(build_vocab([]), encoder.inputs, max_chars=1, pieces=encoder.pieces)


def states(encoder: TransformerEncoder, arrays: dict[str, np.ndarray]) -> list[torch.Tensor]:
    with torch.inference_mode():
        return encoder({name: torch.from_numpy(array) for name, array in arrays.items()})


def recipe_of(hub: HubModel, *, bits: int = 16, **train: object) -> Recipe:
    recipe = tiny_recipe("cnn", **train)
    encoder = Transformer(str(hub.folder), max_pieces=40, encoder_rate=0.5, layer_decay=0.8)
    export = ExportConfig(half=bits < 32, word_bits=8 if bits == 8 else 16)
    return msgspec.structs.replace(recipe, encoder=encoder, export=export)


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_states_are_those_of_transformers(family: str, pooling: str, hubs: dict[str, HubModel]):
    """Alone and unpadded, as transformers reads one text, against a padded batch of ours."""
    encoder, featurizer = encoder_of(hubs[family], pieces=pooling)
    rows = [featurizer.encode(words) for words in ROWS[:5]]
    levels = states(encoder, featurizer.arrays(rows))
    for i, row in enumerate(rows):
        arrays = featurizer.arrays([row])
        ids = torch.from_numpy(arrays["piece_ids"])
        kinds = {}
        if family == "xlnet":  # what XLNet's own tokenizer would say
            kinds = {"token_type_ids": torch.tensor([[0] * (ids.shape[1] - 1) + [2]])}
        with torch.inference_mode():
            found = hubs[family].model(input_ids=ids, output_hidden_states=True, return_dict=True, **kinds)
        for level, whole in zip(levels, [*found.hidden_states[1:-1], found.last_hidden_state], strict=True):
            for place in range(len(row)):
                spot = arrays["word_spot"][0, place]
                first, stop = arrays["spot_first"][0, spot], arrays["spot_stop"][0, spot]
                wanted = whole[0, first:stop].mean(0)
                assert torch.allclose(level[i, place], wanted, atol=1e-5), (i, place)


def test_xlnet_stands_on_the_right_with_its_segments(hubs: dict[str, HubModel]):
    encoder, featurizer = encoder_of(hubs["xlnet"])
    ids = featurizer.arrays([featurizer.encode(words) for words in ROWS[:5]])["piece_ids"]
    short = ids[4]
    assert (short[0], *short[-2:]) == (5, 4, 3)
    kinds = encoder.kinds(torch.from_numpy(ids))
    assert torch.equal(kinds == 3, torch.from_numpy(ids == 5))
    assert kinds[:, -1].tolist() == [2] * len(ids)
    assert set(kinds[:, :-1].flatten().tolist()) == {0, 3}


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_the_rest_of_a_batch_changes_nothing(family: str, hubs: dict[str, HubModel]):
    encoder, featurizer = encoder_of(hubs[family], max_pieces=40)
    rows = [featurizer.encode(words) for words in ROWS]
    together = states(encoder, featurizer.arrays(rows))
    backwards = states(encoder, featurizer.arrays(rows[::-1]))
    for i, row in enumerate(rows):
        alone = states(encoder, featurizer.arrays([row]))
        for one, many, turned in zip(alone, together, backwards, strict=True):
            assert torch.allclose(one[0], many[i, : len(row)], atol=1e-5)
            assert torch.allclose(one[0], turned[len(rows) - 1 - i, : len(row)], atol=1e-5)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_no_word_of_a_long_unit_is_cut(family: str, hubs: dict[str, HubModel]):
    """Every word has states of its own; those in the middle of the first window see all of it."""
    encoder, featurizer = encoder_of(hubs[family], max_pieces=40)
    arrays = featurizer.arrays([featurizer.encode(ROWS[-1])])
    assert arrays["piece_ids"].shape[0] > 3
    assert arrays["piece_ids"].shape[1] <= 40
    level = states(encoder, arrays)[-1][0]
    assert level.shape == (120, 16)
    assert len(set(arrays["word_spot"][0].tolist())) == 120


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_the_graph_is_the_network_at_shapes_never_traced(family, pooling, hubs: dict[str, HubModel]):
    encoder, featurizer = encoder_of(hubs[family], max_pieces=40, pieces=pooling)
    graph = Graph(encoder.graph_inputs, half=False)
    for i, name in enumerate(encoder.to_graph(graph)):
        graph.output(f"level.{i}", name, ("batch", "words", 16))
    session = onnxruntime.InferenceSession(graph.build())
    rows = [featurizer.encode(words) for words in ROWS]
    for part in (rows, rows[:1], rows[4:5], rows[5:], rows[::2]):
        arrays = featurizer.arrays(part)
        found = session.run(None, {name: arrays[name] for name in encoder.graph_inputs})
        inside = np.arange(arrays["lengths"].max()) < arrays["lengths"][:, None]
        for mine, theirs in zip(states(encoder, arrays), found, strict=True):
            assert np.allclose(mine.numpy()[inside], theirs[inside], atol=5e-5)


@pytest.mark.parametrize("family", ["bert", "xlnet", "modernbert"])
def test_lower_layers_learn_more_slowly(family: str, hubs: dict[str, HubModel]):
    encoder, _ = encoder_of(hubs[family], encoder_rate=0.5, layer_decay=0.5)
    rates, layers = encoder.rates, len(encoder.widths)
    assert set(rates) == {name for name, _ in encoder.named_parameters()}
    words = next(name for name in rates if "embedding" in name)
    assert rates[words] == pytest.approx(0.5 * 0.5**layers)
    top = [rate for name, rate in rates.items() if f".{layers - 1}." in name or "final_norm" in name]
    assert set(top) == {0.5}
    assert encoder_of(hubs[family])[0].rates == {}


def test_steps_follow_the_rates(hubs: dict[str, HubModel], tmp_path: Path):
    """Adam's first step is as long as its learning rate."""
    recipe = recipe_of(hubs["bert"], epochs=1, warmup=0.0, weight_decay=0.0)
    trainer = Trainer(recipe, [tiny_corpus(recipe, size=4)], tmp_path, CPU, hub=hubs["bert"])
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    trainer._step(trainer._groups(0), Silent())
    moved = {n: float((t - before[n]).abs().max()) for n, t in trainer.network.state_dict().items()}
    rate = recipe.train.learning_rate
    layer = "encoder.model.encoder.layer.{}.output.dense.weight"
    assert moved["heads.disease.emit.weight"] == pytest.approx(rate, rel=0.05)
    assert moved[layer.format(1)] == pytest.approx(rate * 0.5, rel=0.05)
    assert moved[layer.format(0)] == pytest.approx(rate * 0.4, rel=0.05)
    assert moved["encoder.model.embeddings.LayerNorm.weight"] == pytest.approx(rate * 0.32, rel=0.05)


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_checkpointing_changes_no_gradient(family: str, hubs: dict[str, HubModel]):
    found = []
    for checkpointing in (False, True):
        encoder, featurizer = encoder_of(hubs[family], checkpointing=checkpointing, dropout=0.2)
        arrays = featurizer.arrays([featurizer.encode(words) for words in ROWS[:3]])
        torch.manual_seed(3)
        level = encoder.train()({name: torch.from_numpy(array) for name, array in arrays.items()})[-1]
        level.square().sum().backward()  # type: ignore[no-untyped-call]
        found.append({n: p.grad.clone() for n, p in encoder.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert all(torch.allclose(grad, found[1][name], atol=1e-5) for name, grad in found[0].items())


@pytest.mark.parametrize("family", ["bert", "mpnet", "modernbert", "xlnet"])
def test_dropout_is_what_the_recipe_says(family: str, hubs: dict[str, HubModel]):
    encoder, featurizer = encoder_of(hubs[family], dropout=0.0)
    arrays = featurizer.arrays([featurizer.encode(ROWS[0])])
    assert torch.equal(states(encoder, arrays)[-1], states(encoder.train(), arrays)[-1])
    wet, _ = encoder_of(hubs[family], dropout=0.5)
    assert not torch.allclose(states(wet, arrays)[-1], states(wet.train(), arrays)[-1])


def test_networks_from_one_encoder_share_nothing(hubs: dict[str, HubModel]):
    recipe = recipe_of(hubs["bert"])
    one, other = (Network(recipe, build_vocab([]), hubs["bert"]) for _ in range(2))
    with torch.no_grad():
        for parameter in one.encoder.parameters():
            parameter.zero_()
    assert all(parameter.abs().sum() > 0 for parameter in other.encoder.parameters())


def test_an_encoder_that_was_not_read_is_an_error():
    with pytest.raises(ConfigError, match="public encoder"):
        build_encoder(Transformer("tiny"), build_vocab([]))


@pytest.mark.parametrize("family", ["bert", "xlnet"])
@pytest.mark.parametrize("stop", [3, 7])
def test_a_resumed_run_has_the_same_bytes(family: str, stop: int, hubs: dict[str, HubModel], tmp_path: Path):
    recipe = recipe_of(hubs[family], epochs=2, checkpoint_steps=2)

    class Stop(Silent):
        def on_step(self, state, *_: object) -> None:
            if state.step == stop:
                raise KeyboardInterrupt

    def trainer(name: str) -> Trainer:
        (tmp_path / name).mkdir(exist_ok=True)
        corpora = [tiny_corpus(recipe, size=16)]
        return Trainer(recipe, corpora, tmp_path / name, CPU, hub=hubs[family])

    whole = trainer("whole")
    whole.run(Silent())
    with pytest.raises(KeyboardInterrupt):
        trainer("parts").run(Stop())
    resumed = trainer("parts")
    torch.manual_seed(999)
    resumed.resume()
    resumed.run(Silent())
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    state = whole.optimizer.tensors()
    assert all(torch.equal(tensor, resumed.optimizer.tensors()[name]) for name, tensor in state.items())


def test_the_recipe_of_the_page_is_valid():
    page = (Path(__file__).parents[2] / "docs" / "transformers.md").read_text(encoding="utf-8")
    block = page.partition("```toml file=minilm.toml\n")[2].partition("```")[0]
    recipe = parse_recipe(tomllib.loads(block), "docs/transformers.md")
    assert isinstance(recipe.encoder, Transformer)
    for field in msgspec.structs.fields(Transformer):
        assert f"| `{field.name}` |" in page


def places(document: Document) -> set[tuple[int, int, str]]:
    return {(entity.start, entity.end, entity.label) for entity in document.entities}


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_a_saved_model_finds_what_the_network_finds(
    family, bits, hubs: dict[str, HubModel], tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("medspan.train.quantize._SMALLEST_MATRIX", 100)
    hub = hubs[family]
    recipe = recipe_of(hub, bits=bits)
    torch.manual_seed(5)
    network = Network(recipe, build_vocab([]), hub)
    export = Export(
        recipe,
        network,
        build_vocab([]),
        corpora=[tiny_corpus(recipe, size=6)],
        provenance=PROVENANCE,
    )
    export.save(tmp_path / "model", {"dev": {}}, "A card.")
    nlp = medspan.load(tmp_path / "model", device="cpu", threads=1)
    texts = [
        *TEXTS,
        "(IL-2)-dry",
        "Ж 患者 🤒 \x00 e\u0301 zelvorin\ufefffever\r\n\u200b'K-12'",
        "dry lung " * 90,
    ]
    documents = [*(tiny_document(n) for n in range(8)), *(Document(f"{i}", t) for i, t in enumerate(texts))]
    wanted = export._tagger().annotate(documents)
    found = list(nlp.annotate(documents))
    for mine, theirs in zip(wanted, found, strict=True):
        assert places(mine) == places(theirs)
    assert sum(len(document.entities) for document in found) > 10
    assert replay(tmp_path / "model", threads=1) == []
    stored = open_model(tmp_path / "model")
    assert {"tokenizer.json", "pieces.json"} <= set(stored.spec.files)
    assert stored.problems() == []
    types = {part.data_type for part in onnx.load(tmp_path / "model" / "model.onnx").graph.initializer}
    assert (onnx.TensorProto.INT8 in types) is (bits == 8)
    assert (onnx.TensorProto.FLOAT16 in types) is (bits < 32)


def test_changed_or_missing_piece_files_are_refused(hubs: dict[str, HubModel], tmp_path: Path):
    recipe = recipe_of(hubs["bert"])
    network, vocab = Network(recipe, build_vocab([]), hubs["bert"]), build_vocab([])
    corpora = [tiny_corpus(recipe, size=6)]
    Export(recipe, network, vocab, corpora=corpora, provenance=PROVENANCE).save(tmp_path / "m", {}, "A card.")
    config = tmp_path / "m" / "config.json"
    kept = config.read_bytes()
    raw = msgspec.json.decode(kept)
    del raw["files"]["tokenizer.json"]
    config.write_bytes(msgspec.json.encode(raw))
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing"):
        medspan.load(tmp_path / "m")
    config.write_bytes(kept)
    with (tmp_path / "m" / "pieces.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelError, match="differs from the digest"):
        medspan.load(tmp_path / "m")


RECIPE = """\
[encoder]
kind = "transformer"
source = "public"
encoder_rate = 0.5
layer_decay = 0.9
max_pieces = 64

"""
BLOCKED = """\
import sys
class Blocked:
    def find_spec(self, name, *_):
        if name.split(".")[0] in {"torch", "transformers", "onnx", "huggingface_hub"}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
from medspan.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def written(folder: Path, *, epochs: int = 3) -> Path:
    """A recipe over the invented corpus, and the public encoder it names beside it."""
    path = write_recipe(folder, epochs=epochs, size=30)
    write_hub_model(folder / "public", "xlnet")
    text = path.read_text(encoding="utf-8")
    head, rest = text.index("[encoder]"), text.index("[corpora")
    path.write_text(text[:head] + RECIPE + text[rest:], encoding="utf-8")
    return path


def test_recipe_to_entities_without_torch(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The story: train, then annotate where torch and transformers are not installed; go on from the model."""
    recipe, model = written(tmp_path), tmp_path / "model"
    assert main(["train", str(recipe), "-o", str(model), "--device", "cpu"]) == 0
    assert "encoder: public (xlnet, 0.0 M parameters, licence apache-2.0)" in capsys.readouterr().err
    spec = open_model(model).spec
    assert spec.encoder.kind == "transformer"
    start = spec.provenance.start
    assert start is not None
    assert (start.name, start.licence) == ("public", "apache-2.0")
    assert "started from: public (apache-2.0)" in (model / "README.md").read_text(encoding="utf-8")
    note = tmp_path / "note.txt"
    note.write_text("No sign of grey fever after zelvorin, as expected.", encoding="utf-8")
    command = [sys.executable, "-c", BLOCKED, "annotate", "--model", str(model), str(note)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert msgspec.json.decode(done.stdout)["id"] == "note"
    again = ["train", str(recipe), "-o", str(tmp_path / "next"), "--device", "cpu", "--from", str(model)]
    assert main(again) == 0
    said = capsys.readouterr().err
    assert "transfer from invented:" in said
    assert " 0 mis-shaped" in said
    texts = open_model(tmp_path / "next").spec.provenance.texts
    assert start in texts


def test_the_extra_is_named_where_tokenizers_is_missing(
    tmp_path: Path, monkeypatch, hubs: dict[str, HubModel]
):
    recipe = recipe_of(hubs["bert"])
    network, vocab = Network(recipe, build_vocab([]), hubs["bert"]), build_vocab([])
    corpora = [tiny_corpus(recipe, size=6)]
    Export(recipe, network, vocab, corpora=corpora, provenance=PROVENANCE).save(tmp_path / "m", {}, "A card.")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(medspan.errors.MissingExtraError, match=r'pip install "medspan\[transformer\]"'):
        medspan.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "encoder.source: required key is missing"),
        ({"source": "x", "pieces": "last"}, "encoder.pieces: 'last' is not allowed"),
        ({"source": "x", "layer_decay": 0.0}, "encoder.layer_decay"),
        ({"source": "x", "max_pieces": 3}, "encoder.max_pieces"),
        ({"source": "x", "layers": 3}, "encoder.layers: unknown key"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], said: str):
    raw = {
        "name": "tiny",
        "encoder": {"kind": "transformer", **settings},
        "corpora": {"invented": {"source": "invented"}},
        "heads": {"disease": {"labels": ["Disease"], "corpora": ["invented"]}},
    }
    with pytest.raises(ConfigError, match=said):
        parse_recipe(raw, "tiny.toml")


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_bfloat16_learns_too(family: str, checkpointing: bool, hubs: dict[str, HubModel]):  # noqa: FBT001 - a table
    """What the loop does on a GPU, done on the CPU: near the loss of single precision, and gradients."""
    recipe = recipe_of(hubs[family])
    encoder = msgspec.structs.replace(recipe.encoder, checkpointing=checkpointing, dropout=0.0)
    network = Network(msgspec.structs.replace(recipe, encoder=encoder), build_vocab([]), hubs[family])
    featurizer = Featurizer(build_vocab([]), network.inputs, max_chars=1, pieces=network.pieces)
    arrays = featurizer.arrays([featurizer.encode(words) for words in ROWS[:3]])
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    targets = {"disease": torch.zeros(len(ROWS[:3]), int(arrays["lengths"].max()), dtype=torch.int64)}
    network.heads.eval()
    plain = network.loss(batch, targets).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = network.loss(batch, targets)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(plain, rel=0.1)
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_each_head_of_a_transformer_goes_on_by_itself(tmp_path: Path):
    """Layers of entity types and the second stage are those of the other encoders."""
    recipe, model = written(tmp_path, epochs=1), tmp_path / "model"
    text = recipe.read_text(encoding="utf-8").replace(
        'labels = ["Disease"]', 'labels = ["Disease"]\ngroup = "ill"'
    )
    recipe.write_text(
        text + "\n[groups.ill]\nwidth = 4\n\n[finetune]\nepochs = 1\nsingle_epochs = 1\n", "utf-8"
    )
    assert main(["train", str(recipe), "-o", str(model), "--device", "cpu"]) == 0
    fine = tmp_path / "fine"
    assert main(["finetune", str(recipe), "--from", str(model), "-o", str(fine), "--device", "cpu"]) == 0
    choices = msgspec.json.decode((fine / "choices.json").read_bytes())
    assert set(choices) == {"disease", "drug"}
    assert [head.name for head in open_model(fine / "disease").spec.heads] == ["disease"]

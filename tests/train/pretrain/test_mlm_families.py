"""Six families as language models: heads as transformers has them, folders that it and medspan open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import transformers

from medspan.errors import ConfigError, UsageError
from medspan.model.spec import CorpusSpec
from medspan.train.hub import open_hub_model
from medspan.train.pretrain.mlm_families import (
    CONVENTIONS,
    check_room,
    load_own,
    new_language_model,
    own_tensors,
    with_head,
)
from medspan.train.pretrain.mlm_folder import (
    KNOWN_FILES,
    MlmSpec,
    card,
    check_output,
    earlier_texts,
    save_language_model,
)
from medspan.train.pretrain.mlm_masks import Layout, choose_targets, join_blocks, permutation_task
from medspan.train.pretrain.mlm_pieces import open_tokenizer, special_pieces
from medspan.train.pretrain.settings import NewConfig
from tiny_mlm import tiny_hub, tiny_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.train.pretrain.mlm_families import LanguageModel

FAMILIES = sorted(CONVENTIONS)
SPEC = MlmSpec(
    name="tiny",
    objective="mlm",
    family="bert",
    language="en",
    licence="CC-BY-SA-4.0",
    texts=(CorpusSpec("notes", "the user's own"),),
    start=None,
    medspan="0.1.0",
    seed=13,
    date="2025-01-01",
    command="medspan pretrain mlm notes -o tiny",
    recipe="0" * 64,
    steps=3,
    words=10,
    pieces=20,
    parameters=30,
    held_out_loss=1.5,
    hours=0.1,
)


def a_batch(family: str, rows: int = 3) -> dict[str, Any]:
    """Random pieces as inputs of a network."""
    tokenizer = tiny_tokenizer(family)
    conventions = CONVENTIONS[family]
    special = special_pieces(open_tokenizer(tokenizer.to_str().encode(), "here"), conventions, "here")
    rng = np.random.default_rng(5)
    blocks = [(rng.choice(special.plain, 12 - i), np.arange(12 - i)) for i in range(rows)]
    batch = join_blocks(blocks, Layout(special, conventions.pads_left, conventions.types))
    found = {"input_ids": torch.from_numpy(batch.ids), "attention_mask": torch.from_numpy(batch.attention)}
    return found if batch.types is None else {**found, "token_type_ids": torch.from_numpy(batch.types)}


def save(model: LanguageModel, folder: Path) -> None:
    tokenizer = tiny_tokenizer(model.family).to_str().encode()
    spec = msgspec.structs.replace(SPEC, family=model.family)
    save_language_model(folder, spec, model, tokenizer=tokenizer, history=[], recipe=b'name = "tiny"\n')


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_transformers(family: str, tmp_path: Path):
    whole = tiny_hub(tmp_path / "start", family)
    model = with_head(open_hub_model(tmp_path / "start"))
    assert model.fresh == ()
    model.network.eval()
    inputs = a_batch(family)
    with torch.inference_mode():
        expected = whole.network(**inputs).logits
        states = model.states(inputs)
        assert states.shape == (3, inputs["input_ids"].shape[1], 16)
        assert torch.allclose(model.scores(states), expected, atol=1e-5)
        some = model.scores(states[[0, 1], [2, 3]])
        assert torch.allclose(some, expected[[0, 1], [2, 3]], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_folder_is_opened_by_transformers_and_by_medspan(family: str, tmp_path: Path):
    tiny_hub(tmp_path / "start", family)
    model = with_head(open_hub_model(tmp_path / "start"))
    model.network.eval()
    save(model, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(KNOWN_FILES)
    inputs = a_batch(family)
    with torch.inference_mode():
        states = model.states(inputs)
        encoder = transformers.AutoModel.from_pretrained(tmp_path / "out", local_files_only=True).eval()
        assert torch.equal(encoder(**inputs).last_hidden_state, states)
        again = open_hub_model(tmp_path / "out")
        assert torch.equal(again.model(**inputs).last_hidden_state, states)
        auto = {"xlnet": "AutoModelWithLMHead"}.get(family, "AutoModelForMaskedLM")
        auto = auto if hasattr(transformers, auto) else "AutoModelForCausalLM"
        network = getattr(transformers, auto).from_pretrained(tmp_path / "out", local_files_only=True).eval()
        assert type(network) is type(model.network)
        assert torch.equal(network(**inputs).logits, model.scores(states))
    assert again.licence == "cc-by-sa-4.0"
    learnt_on = with_head(again)
    assert learnt_on.fresh == ()
    mine, theirs = own_tensors(learnt_on.network), own_tensors(model.network)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert earlier_texts(tmp_path / "out") == SPEC.texts


@pytest.mark.parametrize("family", FAMILIES)
def test_tied_tensors_stand_once_in_the_file_and_stay_tied(family: str, tmp_path: Path):
    tiny_hub(tmp_path / "start", family)
    model = with_head(open_hub_model(tmp_path / "start"))
    tensors = own_tensors(model.network)
    places = [tensor.data_ptr() for tensor in tensors.values()]
    assert len(places) == len(set(places))
    output = model.network.get_output_embeddings().weight
    assert output is model.network.get_input_embeddings().weight
    assert sum(tensor is output or tensor.data_ptr() == output.data_ptr() for tensor in tensors.values()) == 1
    doubled = {name: tensor.clone() + 1 for name, tensor in tensors.items()}
    load_own(model.network, doubled)
    assert all(torch.equal(own_tensors(model.network)[name], doubled[name]) for name in doubled)
    assert model.network.get_output_embeddings().weight is model.network.get_input_embeddings().weight


@pytest.mark.parametrize("family", FAMILIES)
def test_a_missing_head_starts_at_random_and_is_named(family: str, tmp_path: Path):
    tiny_hub(tmp_path / "start", family, with_head=False)
    model = with_head(open_hub_model(tmp_path / "start"))
    own = own_tensors(model.network)
    prefix = f"{model.network.base_model_prefix}."
    assert set(model.fresh) == {name for name in own if not name.startswith(prefix)}
    assert model.fresh


@pytest.mark.parametrize("family", FAMILIES)
def test_blocks_look_like_what_the_tokenizer_of_transformers_makes(family: str, tmp_path: Path):
    tiny_hub(tmp_path / "start", family)
    save(with_head(open_hub_model(tmp_path / "start")), tmp_path / "out")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    texts = ["weather was mild", "in mild weather all was"]
    theirs = tokenizer(texts, padding=True, return_tensors="np")
    conventions = CONVENTIONS[family]
    cutter = open_tokenizer((tmp_path / "out" / "tokenizer.json").read_bytes(), "here")
    special = special_pieces(cutter, conventions, "here")
    around = len(special.lead), len(special.trail)
    blocks = []
    for text in texts:
        ids = np.array(tokenizer(text)["input_ids"][around[0] : -around[1]])
        blocks.append((ids, np.arange(len(ids))))
    batch = join_blocks(blocks, Layout(special, conventions.pads_left, conventions.types))
    assert batch.ids.tolist() == theirs["input_ids"].tolist()
    assert batch.attention.tolist() == theirs["attention_mask"].tolist()
    if batch.types is not None:
        inside = batch.attention > 0  # of padding nothing is read, so that its segment is of no account
        assert batch.types[inside].tolist() == theirs["token_type_ids"][inside].tolist()


@pytest.mark.parametrize("family", ["xlnet", "bert"])
def test_a_new_network_has_the_sizes_asked_for(family: str):
    config = NewConfig(family=family, layers=3, width=24, heads=2, inner=40, dropout=0.3)
    cutter = open_tokenizer(tiny_tokenizer(family).to_str().encode(), "here")
    models = []
    for _ in range(2):
        torch.manual_seed(7)
        models.append(new_language_model(config, cutter, most_places=600, where="here"))
    settings = models[0].network.config
    assert (settings.hidden_size, settings.num_hidden_layers, settings.num_attention_heads) == (24, 3, 2)
    assert settings.vocab_size == cutter.tokenizer.get_vocab_size()
    assert models[0].fresh == tuple(own_tensors(models[0].network))
    one, two = (own_tensors(model.network) for model in models)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert family == "xlnet" or settings.max_position_embeddings == 600


def test_a_target_never_sees_itself_nor_do_those_before_it(tmp_path: Path):
    """Change the piece of a target: its scores and those of targets before it stay, those behind it move."""
    model = tiny_hub(tmp_path / "start", "xlnet")
    conventions = CONVENTIONS["xlnet"]
    cutter = open_tokenizer(tiny_tokenizer("xlnet").to_str().encode(), "here")
    special = special_pieces(cutter, conventions, "here")
    rng = np.random.default_rng(5)
    blocks = [(rng.choice(special.plain, 30 - 3 * i), np.arange(30 - 3 * i) // 2) for i in range(3)]
    batch = join_blocks(blocks, Layout(special, conventions.pads_left, conventions.types))
    rngs = [np.random.default_rng([8, i]) for i in range(3)]
    targets = choose_targets(batch, 0.3, 3, rngs)
    task = permutation_task(batch, targets, rngs)
    rows, places = np.nonzero(targets)
    order = -task.inputs["perm_mask"][rows, places].sum(1)  # who sees less stands earlier

    def scores(ids: np.ndarray) -> Any:
        inputs = {name: torch.from_numpy(array) for name, array in task.inputs.items()}
        with torch.inference_mode():
            states = model.states({**inputs, "input_ids": torch.from_numpy(ids)})
            return model.scores(states[task.rows, task.columns])

    before = scores(batch.ids)
    moved_later = 0
    for i, (row, place) in enumerate(zip(rows, places, strict=True)):
        ids = batch.ids.copy()
        ids[row, place] = special.plain[(ids[row, place] - special.plain[0] + 7) % len(special.plain)]
        assert ids[row, place] != batch.ids[row, place]
        moved = (scores(ids) != before).any(1).numpy()
        later = (rows == row) & (order > order[i])
        assert not moved[i]
        assert not moved[~later].any()
        assert moved[later].all()
        moved_later += int(later.sum())
    assert moved_later > 5
    ids = batch.ids.copy()
    other = int(np.flatnonzero(~targets[0] & (batch.words[0] >= 0))[0])
    ids[0, other] = special.plain[-1]
    assert (scores(ids) != before).any(1).numpy()[rows == 0].all()


def test_padding_does_not_change_what_is_predicted(tmp_path: Path):
    model = tiny_hub(tmp_path / "start", "xlnet")
    inputs = a_batch("xlnet")
    alone = {name: array[2:, 2:] for name, array in inputs.items()}
    with torch.inference_mode():
        together, single = model.states(inputs)[2, 2:], model.states(alone)[0]
    assert torch.allclose(together, single, atol=1e-6)


def test_a_strange_folder_is_not_replaced(tmp_path: Path):
    tiny_hub(tmp_path / "start", "bert")
    with pytest.raises(UsageError, match="is the folder it starts from"):
        check_output(tmp_path / "start", tmp_path / "start")
    with pytest.raises(UsageError, match=r"has no medspan.json.*is not replaced"):
        check_output(tmp_path / "start", None)
    save(with_head(open_hub_model(tmp_path / "start")), tmp_path / "out")
    check_output(tmp_path / "out", tmp_path / "start")
    (tmp_path / "out" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        check_output(tmp_path / "out", None)
    check_output(tmp_path / "new", tmp_path / "start")
    assert earlier_texts(tmp_path / "start") == ()


def test_no_pickle_and_no_code_is_in_a_folder(tmp_path: Path):
    tiny_hub(tmp_path / "start", "xlnet")
    save(with_head(open_hub_model(tmp_path / "start")), tmp_path / "out")
    config = msgspec.json.decode((tmp_path / "out" / "config.json").read_bytes())
    assert "auto_map" not in config
    assert config["model_type"] == "xlnet"
    assert config["architectures"] == ["XLNetLMHeadModel"]
    assert not list((tmp_path / "out").glob("*.bin"))


def test_the_card_says_where_it_comes_from():
    text = card(msgspec.structs.replace(SPEC, start=CorpusSpec("mpnet", "mit"), objective="permutation"))
    assert text.startswith("---\nlicense: cc-by-sa-4.0\nlanguage: en\n---\n# tiny\n")
    assert "started from: mpnet (mit)" in text
    assert "| notes | the user's own |" in text
    assert "permutation language model" in text
    assert "random weights" in card(SPEC)


def test_blocks_must_fit_the_network():
    check_room(128, None)
    check_room(128, 128)
    check_room(128, -1)  # XLNet of transformers says so
    with pytest.raises(ConfigError, match=r"mlm\.pieces: is 129; this network sees 128 at most"):
        check_room(129, 128)

"""Recipes: what they accept, what each mistake says, and that a resolved recipe is the recipe."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.config import Recipe, WindowConfig, load_recipe, parse_recipe
from medspan.errors import ConfigError
from medspan.toml import read_toml, recipe_toml

ROOT = Path(__file__).parent.parent
RECIPE = """\
name = "tiny"

[encoder]
kind = "blstm_cnn"

[corpora.own]
source = "notes"

[heads.disease]
labels = ["Disease"]
corpora = ["own"]

[train]
"""


def message_of(path: Path, content: str) -> str:
    """The error of a recipe, without the path in front of it."""
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_recipe(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def test_the_smallest_recipe_has_every_default(tmp_path: Path):
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    recipe = load_recipe(path)
    assert recipe.window == WindowConfig()
    assert recipe.heads["disease"].kind == "crf"
    assert recipe.train.seed == 13


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('name = "tiny"', 'nmae = "tiny"', "nmae: unknown key; did you mean name?"),
        ("kind =", "laers = 2\nkind =", "encoder.laers: unknown key; did you mean layers?"),
        ("source =", 'sorce = ""\nsource =', "corpora.own.sorce: unknown key; did you mean source?"),
        ("labels =", "lables = []\nlabels =", "heads.disease.lables: unknown key; did you mean labels?"),
        ("[train]", "[train]\nlearn_rate = 1", "train.learn_rate: unknown key; did you mean learning_rate?"),
        ("[train]", "[trian]", "trian: unknown key; did you mean train?"),
        ("[train]", "[window]\nwrods = 3", "window.wrods: unknown key; did you mean words?"),
        ("[train]", "[export]\nhlaf = true", "export.hlaf: unknown key; did you mean half?"),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, before: str, after: str, said: str):
    assert message_of(tmp_path / "r.toml", RECIPE.replace(before, after, 1)) == said


def test_a_key_near_to_none_lists_them(tmp_path: Path):
    said = message_of(tmp_path / "r.toml", RECIPE.replace("source =", "zzz = 1\nsource ="))
    assert (
        said
        == "corpora.own.zzz: unknown key; known: dev, format, judges, labels, may_lack, source, train, weight"
    )


def test_the_second_of_two_corpora_is_named(tmp_path: Path):
    more = '[corpora.other]\nsource = "b"\nwieght = 1.0\n[train]'
    said = message_of(tmp_path / "r.toml", RECIPE.replace("[train]", more))
    assert said == "corpora.other.wieght: unknown key; did you mean weight?"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[train]", '[train]\nepochs = "x"', "train.epochs: expected `int`, got `str`"),
        ("[train]", "[train]\nepochs = 3.0", "train.epochs: expected `int`, got `float`"),
        ("[train]", "[train]\nepochs = 0", "train.epochs: expected `int` >= 1"),
        ("[train]", "[train]\nseed = -1", "train.seed: expected `int` >= 0"),
        ("[train]", "[train]\nhead_dropout = 1.0", "train.head_dropout: expected `float` < 1.0"),
        ("[train]", "[train]\nlearning_rate = nan", "train.learning_rate: expected `float` > 0.0"),
        ("[train]", "[train]\nlearning_rate = inf", "train.learning_rate: expected `float` <= 1000000000.0"),
        ("[train]", "[train]\nkeep_leaks = 1", "train.keep_leaks: expected `bool`, got `int`"),
        ("kind =", "layers = 7\nkind =", "encoder.layers: expected `int` <= 3"),
        ("kind =", "char_windows = [2, 0]\nkind =", "encoder.char_windows[1]: expected `int` >= 1"),
        ('["Disease"]', "[1]", "heads.disease.labels[0]: expected `str`, got `int`"),
        ('["Disease"]', '"Disease"', "heads.disease.labels: expected `array`, got `str`"),
        ("corpora = [", "level = true\ncorpora = [", "heads.disease.level: expected `int`, got `bool`"),
        ("source =", "labels = {A = 1}\nsource =", "corpora.own.labels.A: expected `str`, got `int`"),
        ("[corpora.own]", "[corpora.'a.b']\nweight = 0.0", 'corpora."a.b".weight: expected `float` > 0.0'),
        ("[heads.disease]", "[heads]\nd = 3\n[heads.disease]", "heads.d: expected `table`, got `int`"),
        ('[encoder]\nkind = "blstm_cnn"', "encoder = 3", "encoder: expected `table`, got `int`"),
        ('"blstm_cnn"', '"blstm"', "encoder.kind: 'blstm' is not allowed; did you mean blstm_cnn?"),
        (
            "corpora = [",
            'kind = "crg"\ncorpora = [',
            "heads.disease.kind: 'crg' is not allowed; did you mean crf?",
        ),
        (
            "[train]",
            '[export]\noverlap = "xyz"',
            "export.overlap: 'xyz' is not allowed; known: all, best, longest",
        ),
    ],
)
def test_a_wrong_value_says_what_is_expected(tmp_path: Path, before: str, after: str, said: str):
    assert message_of(tmp_path / "r.toml", RECIPE.replace(before, after, 1)) == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('name = "tiny"', "name: required key is missing"),
        ('kind = "blstm_cnn"', "encoder.kind: required key is missing"),
        ('source = "notes"', "corpora.own.source: required key is missing"),
        ('labels = ["Disease"]', "heads.disease.labels: required key is missing"),
        ('[encoder]\nkind = "blstm_cnn"\n', "encoder: required key is missing"),
    ],
)
def test_a_missing_key_is_named(tmp_path: Path, line: str, said: str):
    assert message_of(tmp_path / "r.toml", RECIPE.replace(line, "", 1)) == said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('["own"]', '["onw"]', "heads.disease.corpora: no corpus 'onw' in this recipe; did you mean own?"),
        (
            "[corpora.own]",
            '[distil]\ngold_heads = ["diseas"]\n[corpora.own]',
            "distil.gold_heads: no head 'diseas'; did you mean disease?",
        ),
        (
            "[corpora.own]",
            '[distil]\ngold_heads = ["disease"]\n[corpora.own]',
            "distil.gold_heads: leave at least one head to the teachers",
        ),
        ('["own"]', "[]", "heads.disease: give at least one label and one corpus"),
        ('["Disease"]', "[]", "heads.disease: give at least one label and one corpus"),
        ('["Disease"]', '["A", "A"]', "heads.disease.labels: holds a name twice or an empty one"),
        ('["Disease"]', '[""]', "heads.disease.labels: holds a name twice or an empty one"),
        ('["own"]', '["own", "own"]', "heads.disease.corpora: holds a name twice or an empty one"),
        (
            "[train]",
            '[corpora.b]\nsource = "b"',
            "corpora.b: no head learns from it; name it in a head or remove it",
        ),
        ("[train]", "[window]\nwords = 80", "window.overlap: must be below half of window.words (80)"),
        ("corpora = [", "ships = false\ncorpora = [", "heads: give at least one head that ships"),
        (
            "[heads.disease]",
            "[heads.'a.b']",
            "heads.a.b: the name may hold letters, digits, _ and -, and starts with no mark",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, before: str, after: str, said: str):
    assert message_of(tmp_path / "r.toml", RECIPE.replace(before, after, 1)) == said


def test_a_recipe_without_heads_is_refused():
    raw = {"name": "x", "encoder": {"kind": "cnn"}, "corpora": {}, "heads": {}}
    with pytest.raises(ConfigError, match=r"own\.toml: heads: give at least one head"):
        parse_recipe(raw, "own.toml")


def test_bad_toml_says_where(tmp_path: Path):
    assert message_of(tmp_path / "r.toml", "name = \n").startswith("not valid TOML: ")
    assert "line 1" in message_of(tmp_path / "r.toml", "name = \n")


def test_bytes_that_are_not_utf8_are_no_toml(tmp_path: Path):
    path = tmp_path / "r.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_recipe(path)


def test_a_byte_order_mark_is_forgiven(tmp_path: Path):
    path = tmp_path / "r.toml"
    path.write_bytes(b"\xef\xbb\xbf" + RECIPE.encode())
    assert load_recipe(path).name == "tiny"


def test_absent_files_and_folders_are_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no such recipe; give the path of a \.toml file"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"give the path of a \.toml file"):
        load_recipe(tmp_path)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("[!p]*.toml")), ids=lambda path: path.name)
def test_shipped_recipes_round_trip(path: Path):
    if "relations" not in read_toml(path):  # those are of tests/train/test_relations.py
        assert_round_trip(load_recipe(path))


def assert_round_trip(recipe: Recipe) -> None:
    resolved = recipe_toml(recipe)
    again = parse_recipe(tomllib.loads(resolved), "resolved")
    assert again == recipe
    assert recipe_toml(again) == resolved


@pytest.mark.parametrize("kind", ["blstm_cnn", "char_blstm", "window", "cnn"])
def test_every_encoder_round_trips(kind: str):
    raw = tomllib.loads(RECIPE.replace("blstm_cnn", kind))
    assert_round_trip(parse_recipe({**raw, "threads": 2}, "r"))


_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    words=st.tuples(_words, _words),
    corpus=_words.filter(bool),
    labels=st.none() | st.dictionaries(_words, _words, max_size=3),
    rate=st.floats(1e-12, 1e9),
    label=_words.filter(bool),
)
def test_any_recipe_round_trips(
    words: tuple[str, str], corpus: str, labels: dict[str, str] | None, rate: float, label: str
):
    raw = tomllib.loads(RECIPE)
    raw["name"], raw["description"] = words
    raw["corpora"] = {corpus: {"source": "x", "labels": labels}}
    raw["heads"]["disease"] |= {"corpora": [corpus], "labels": [label]}
    raw["train"]["learning_rate"] = rate
    assert_round_trip(parse_recipe(raw, "r"))

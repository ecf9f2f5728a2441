"""config.json: strict, with errors that name file and key, and old versions readable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medspan.errors import ModelError
from medspan.model.spec import (
    FORMAT_VERSION,
    MIGRATIONS,
    EncoderSpec,
    HeadSpec,
    ModelSpec,
    WindowSpec,
    parse_spec,
)
from medspan.tags import iobes_tags

DATA = Path(__file__).parent / "data"
SpecOf = Callable[..., ModelSpec]


def test_round_trip_keeps_everything(spec_of: SpecOf) -> None:
    spec = spec_of(
        description="tiny — for tests",
        window=WindowSpec(50, 10),
        overlap="best",
        files={"vocab.json": "a" * 64},
    )
    assert parse_spec(spec.to_json(), "config.json") == spec
    assert json.loads(spec.to_json())["format_version"] == FORMAT_VERSION


def test_settings_keep_their_types(spec_of: SpecOf) -> None:
    settings = {"whole": 3, "real": 3.0, "text": "3", "truth": True, "many": (2, 3)}
    spec = parse_spec(spec_of(encoder=EncoderSpec("cnn", settings)).to_json(), "config.json")
    assert spec.encoder.settings == settings
    assert [type(value) for value in spec.encoder.settings.values()] == [int, float, str, bool, tuple]


def test_heads_and_labels(spec_of: SpecOf) -> None:
    spec = spec_of(heads=(HeadSpec("a", ("X", "Y")), HeadSpec("b", ("Y", "Z"), kind="softmax")))
    assert spec.labels == ("X", "Y", "Z")
    assert spec.heads[0].tags == iobes_tags(["X", "Y"])
    assert spec.heads[1].output == "emissions.b"


def test_every_older_version_is_readable() -> None:
    assert sorted(MIGRATIONS) == list(range(FORMAT_VERSION))
    for version in MIGRATIONS:
        path = DATA / f"config-version-{version}.json"
        spec = parse_spec(path.read_bytes(), str(path))
        assert (spec.format_version, spec.name, spec.language) == (FORMAT_VERSION, "old", "en")
        assert spec.heads[0].temperature == 1.3
        assert parse_spec(spec.to_json(), "config.json") == spec


def test_version_2_loses_nothing() -> None:
    path = DATA / "config-version-2.json"
    spec = parse_spec(path.read_bytes(), str(path))
    written, read = json.loads(path.read_bytes()), json.loads(spec.to_json())
    assert {key: read["provenance"].pop(key) for key in ("teachers", "unlabelled")} == {
        "teachers": [],
        "unlabelled": [],
    }
    assert read == {**written, "beside": "", "format_version": FORMAT_VERSION}


def test_newer_version_is_refused_before_its_keys_are(spec_of: SpecOf) -> None:
    config = {**json.loads(spec_of().to_json()), "format_version": FORMAT_VERSION + 1, "novelty": 1}
    with pytest.raises(ModelError, match=r"m/config.json: format_version: .*newer medspan; upgrade"):
        parse_spec(json.dumps(config).encode(), "m/config.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"langage": "en"}, r"langage: unknown key; did you mean language\?"),
        ({"language": None}, "language: expected `str`"),
        ({"format_version": "1"}, "format_version: must be a number"),
        ({"format_version": True}, "format_version: must be a number"),
        ({"format_version": -1}, "format_version: must be a number"),
        ({"encoder": {"kind": "lstm"}}, r"encoder.kind: invalid enum value 'lstm'"),
        (
            {"encoder": {"kind": "cnn", "setings": {}}},
            r"encoder.setings: unknown key; did you mean settings\?",
        ),
        ({"encoder": {"kind": "cnn", "settings": {"a": {}}}}, r"encoder.settings\[...\]"),
        ({"encoder": {}}, "encoder.kind: required key is missing"),
        ({"heads": []}, "heads: must name at least one"),
        ({"heads": [{"name": "a", "labels": []}]}, "heads.a.labels: must name at least one"),
        ({"heads": [{"name": "a", "labels": ["X", "X"]}]}, "heads.a.labels: holds a name twice"),
        ({"heads": [{"name": "../a", "labels": ["X"]}]}, "heads: the name"),
        ({"heads": [{"name": "a", "labels": ["X"]}] * 2}, "heads: holds a name twice"),
        (
            {"heads": [{"name": "a", "labels": ["X"], "temperature": 0}]},
            r"heads\[0\].temperature: expected `float` > 0",
        ),
        ({"heads": [{"name": "a", "labels": ["X"], "threshold": 2}]}, r"heads\[0\].threshold"),
        (
            {"heads": [{"name": "a", "labels": ["X"], "kin": "crf"}]},
            r"heads\[0\].kin: unknown key; did you mean kind\?",
        ),
        ({"inputs": []}, "inputs: must name at least one"),
        ({"window": {"words": 10, "overlap": 5}}, "window.overlap: must be below half"),
        ({"files": {"vocab.json": "abc"}}, r"files\[...\]"),
        ({"overlap": "first"}, "overlap: invalid enum value 'first'"),
        ({"provenance": {}}, "provenance.medspan: required key is missing"),
    ],
)
def test_what_is_wrong_is_named(spec_of: SpecOf, change: dict, message: str) -> None:
    config = {**json.loads(spec_of().to_json()), **change}
    with pytest.raises(ModelError, match=r"m/config\.json: " + message):
        parse_spec(json.dumps(config).encode(), "m/config.json")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b"{}", b"\xff\xfe", b'{"format_version": 1e99}'])
def test_what_is_no_config_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"m/config\.json: "):
        parse_spec(data, "m/config.json")


def test_a_pretrained_folder_is_no_model() -> None:
    with pytest.raises(ModelError, match=r"c\.json: is of weights to start from, .*--from"):
        parse_spec(b'{"kind": "pretrained", "format_version": 1}', "c.json")

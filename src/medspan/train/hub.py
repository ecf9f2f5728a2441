"""Public encoders in the layout of Hugging Face, read safely: data only, of known kinds, with known settings.

A folder holds ``config.json``, ``model.safetensors`` and ``tokenizer.json``. Pickled weights are refused and
code of a folder is never run: the config picks one of `FAMILIES`, keys outside its list are not passed on,
and tensors are copied by name into the class of transformers that the family names.
"""

from __future__ import annotations

import hashlib
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file

from medspan.errors import MissingExtraError, ModelError, UsageError
from medspan.model.spec import CorpusSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

CONFIG, WEIGHTS, TOKENIZER, CARD = "config.json", "model.safetensors", "tokenizer.json", "README.md"
HUB_ID = re.compile(r"(?P<id>(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
"""A name of the hub, ``owner/name``, and after ``@`` a branch, tag or commit of it."""
_LARGEST = 1 << 22
_Keys = dict[str, type]
_BERT: _Keys = {
    "vocab_size": int,
    "hidden_size": int,
    "num_hidden_layers": int,
    "num_attention_heads": int,
    "intermediate_size": int,
    "hidden_act": str,
    "hidden_dropout_prob": float,
    "attention_probs_dropout_prob": float,
    "max_position_embeddings": int,
    "type_vocab_size": int,
    "initializer_range": float,
    "layer_norm_eps": float,
    "pad_token_id": int,
}


class Family(NamedTuple):
    """A kind of encoder transformers has.

    ``model_class`` lives in ``transformers.models.NAME``; ``keys`` are those of its config that are read,
    ``needs`` those that must have a value if they are there, ``prefixes`` begin the names of its tensors
    where the file holds a head too, ``offset`` is the number of positions that no piece takes.
    """

    model_class: str
    config_class: str
    keys: _Keys
    needs: dict[str, object]
    prefixes: tuple[str, ...]
    offset: int = 0
    has_pooler: bool = True


_PLAIN: dict[str, object] = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}
FAMILIES: dict[str, Family] = {
    "bert": Family("BertModel", "BertConfig", _BERT, _PLAIN, ("bert.",)),
    "roberta": Family(
        "RobertaModel", "RobertaConfig", _BERT, {**_PLAIN, "pad_token_id": 1}, ("roberta.",), 2
    ),
    "electra": Family(
        "ElectraModel",
        "ElectraConfig",
        {**_BERT, "embedding_size": int},
        _PLAIN,
        ("electra.",),
        has_pooler=False,
    ),
    "mpnet": Family(
        "MPNetModel",
        "MPNetConfig",
        {
            **{key: kind for key, kind in _BERT.items() if key != "type_vocab_size"},
            "relative_attention_num_buckets": int,
        },
        {"relative_attention_num_buckets": 32, "pad_token_id": 1},
        ("mpnet.",),
        2,
    ),
    "xlnet": Family(
        "XLNetModel",
        "XLNetConfig",
        {
            "vocab_size": int,
            "d_model": int,
            "n_layer": int,
            "n_head": int,
            "d_inner": int,
            "d_head": int,
            "ff_activation": str,
            "dropout": float,
            "initializer_range": float,
            "layer_norm_eps": float,
            "clamp_len": int,
            "pad_token_id": int,
        },
        {"attn_type": "bi", "bi_data": False, "same_length": False, "untie_r": True, "clamp_len": -1},
        ("transformer.",),
        has_pooler=False,
    ),
    "modernbert": Family(
        "ModernBertModel",
        "ModernBertConfig",
        {
            "vocab_size": int,
            "hidden_size": int,
            "intermediate_size": int,
            "num_hidden_layers": int,
            "num_attention_heads": int,
            "hidden_activation": str,
            "max_position_embeddings": int,
            "initializer_range": float,
            "norm_eps": float,
            "norm_bias": bool,
            "pad_token_id": int,
            "cls_token_id": int,
            "sep_token_id": int,
            "attention_bias": bool,
            "attention_dropout": float,
            "global_attn_every_n_layers": int,
            "global_rope_theta": float,
            "local_rope_theta": float,
            "local_attention": int,
            "embedding_dropout": float,
            "mlp_bias": bool,
            "mlp_dropout": float,
            "layer_types": list,
            "rope_parameters": dict,
        },
        {"rope_scaling": None},
        ("model.",),
        has_pooler=False,
    ),
}
"""The kinds of encoders that are read, by ``model_type`` of their config."""
_ACTIVATIONS = {"gelu", "relu"}
_ACTIVATION_KEYS = {"hidden_act", "ff_activation", "hidden_activation"}
_MAY_BE_ZERO = {"pad_token_id", "cls_token_id", "sep_token_id", "type_vocab_size", "clamp_len"}


class HubModel(NamedTuple):
    """A public encoder, read.

    ``model`` is the encoder of transformers alone, in float32 and in evaluation mode; ``rest`` are tensors of
    the file that are not its own (heads), by their names there; ``folder`` is where all was read from.
    """

    name: str
    family: str
    config: Any
    model: nn.Module
    rest: dict[str, Tensor]
    tokenizer_json: bytes
    digest: str
    licence: str
    folder: Path

    @property
    def spec(self) -> CorpusSpec:
        """What the provenance of a model says of it."""
        return CorpusSpec(self.name, self.licence, {"weights": self.digest})

    @property
    def width(self) -> int:
        """Width of its states."""
        return int(self.config.hidden_size)

    @property
    def layers(self) -> int:
        """Layers behind the embeddings."""
        return int(self.config.num_hidden_layers)

    @property
    def most_pieces(self) -> int | None:
        """Pieces it can see at once, special ones included; None where positions are relative."""
        if self.family == "xlnet":
            return None
        return int(self.config.max_position_embeddings) - FAMILIES[self.family].offset


def open_hub_model(
    source: Path | str, *, base: Path | None = None, tell: Callable[[str], None] | None = None
) -> HubModel:
    """Read a public encoder.

    Args:
        source: a folder, or a name of the hub such as ``owner/name``; the hub is asked only where there is no
            such folder.
        base: folder that a relative path starts from; the working folder where None.
        tell: hears what is fetched from the hub before it is.

    Raises:
        ModelError: if it is not a safe encoder of a known family, or is damaged.
        UsageError: if there is no such folder and the hub cannot be asked or has none.
        MissingExtraError: if transformers is not installed.
    """
    folder, name = find_hub_model(source, base=base, tell=tell)
    family, config = read_config(folder)
    tensors = read_tensors(folder)
    model = new_model(family, config)
    rest = _load(model, tensors, FAMILIES[family], folder / WEIGHTS)
    digest = _digest(folder / WEIGHTS)
    return HubModel(
        name, family, config, model.eval(), rest, read_tokenizer(folder), digest, licence_of(folder), folder
    )


def find_hub_model(
    source: Path | str, *, base: Path | None = None, tell: Callable[[str], None] | None = None
) -> tuple[Path, str]:
    """The folder of a source, fetched where it is a name of the hub, and what to call it.

    Raises:
        UsageError: as `open_hub_model`.
    """
    folder = (base or Path()) / source
    if folder.is_dir():
        return folder, folder.resolve().name
    found = HUB_ID.fullmatch(str(source))
    if found is None:
        raise UsageError(
            f"{folder}: no such folder; give a folder with {CONFIG}, {WEIGHTS} and {TOKENIZER}, or a name of "
            "the hub such as xlnet/xlnet-base-cased"
        )
    (tell or (lambda _: None))(
        f"{folder} is no folder: fetching {CONFIG}, {TOKENIZER}, {CARD} and {WEIGHTS} of {source} from "
        "huggingface.co into its cache"
    )
    return _fetch(found["id"], found["revision"], folder), found["id"]


def _fetch(name: str, revision: str | None, folder: Path) -> Path:
    """Files of a model of the hub, data only."""
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - network, only where it is asked for
    except ModuleNotFoundError:
        raise MissingExtraError("fetching from the hub", "huggingface_hub", "train") from None
    try:
        found = snapshot_download(name, revision=revision, allow_patterns=[CONFIG, WEIGHTS, TOKENIZER, CARD])
    except Exception as error:  # noqa: BLE001 - errors of the hub share no public base
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UsageError(
            f"{folder} is no folder, and {name} cannot be had from huggingface.co ({reason}); check the name "
            f"and the network, or fetch {CONFIG}, {WEIGHTS} and {TOKENIZER} elsewhere and give their folder"
        ) from None
    return Path(found)


def read_config(folder: Path) -> tuple[str, Any]:
    """The family of a folder and its config as transformers has it.

    Raises:
        ModelError: if the config is damaged, of another kind, or asks for what is not supported.
        MissingExtraError: if transformers is not installed.
    """
    where = folder / CONFIG
    try:
        raw: Any = msgspec.json.decode(where.read_bytes())
    except OSError as error:
        raise ModelError(
            f"{where}: cannot be read ({error.strerror}); give the folder of an encoder"
        ) from None
    except msgspec.MsgspecError as error:
        raise ModelError(f"{where}: not valid JSON ({error}); fetch it again") from None
    name = raw.get("model_type") if isinstance(raw, dict) else None
    if not isinstance(name, str) or name not in FAMILIES:
        raise ModelError(f"{where}: model_type: is {name!r}; encoders that are read: {', '.join(FAMILIES)}")
    if "auto_map" in raw:
        raise ModelError(f"{where}: auto_map: this model needs code of its own, which is never run")
    family = FAMILIES[name]
    for key, wanted in family.needs.items():
        if raw.get(key, wanted) != wanted:
            raise ModelError(f"{where}: {key}: is {raw[key]!r}; only {wanted!r} is supported")
    kept = {key: _checked(raw[key], key, kind, where) for key, kind in family.keys.items() if key in raw}
    if raw.get("d_head") is None:
        kept.pop("d_head", None)
    return name, new_config(name, kept)


def new_config(family: str, settings: Mapping[str, object]) -> Any:  # noqa: ANN401 - a class of transformers
    """The config of a family, its states of former texts (XLNet) turned off.

    Raises:
        MissingExtraError: if transformers is not installed.
    """
    chosen = FAMILIES[family]
    off = {"mem_len": None, "use_mems_eval": False, "use_mems_train": False} if family == "xlnet" else {}
    return _from_transformers(family, "configuration", chosen.config_class)(**settings, **off)


def new_model(family: str, config: Any) -> nn.Module:  # noqa: ANN401 - a class of transformers
    """The encoder of a family with fresh weights and no pooler.

    Raises:
        ModelError: if the config's numbers do not fit each other.
    """
    chosen = FAMILIES[family]
    options = {"add_pooling_layer": False} if chosen.has_pooler else {}
    try:
        model: nn.Module = _from_transformers(family, "modeling", chosen.model_class)(config, **options)
    except (ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{CONFIG}: transformers cannot build it ({error}); fetch it again") from None
    return model


def _from_transformers(family: str, part: str, name: str) -> Any:  # noqa: ANN401 - a class
    try:
        module = import_module(f"transformers.models.{family}.{part}_{family}")
    except ModuleNotFoundError:
        raise MissingExtraError("a transformer encoder", "transformers", "train") from None
    return getattr(module, name)


def _checked(value: object, key: str, kind: type, where: Path) -> object:
    """A value of a config, of its kind and within reason."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if value is None and key in {"pad_token_id", "d_head", "layer_types", "rope_parameters"}:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ModelError(f"{where}: {key}: is {value!r}; it must be of the type {kind.__name__}")
    if kind is int and not (-1 if key in _MAY_BE_ZERO else 1) <= value <= _LARGEST:  # type: ignore[operator]
        raise ModelError(f"{where}: {key}: is {value!r}, which is out of range")
    if key in _ACTIVATION_KEYS and value not in _ACTIVATIONS:
        raise ModelError(f"{where}: {key}: is {value!r}; supported: {', '.join(sorted(_ACTIVATIONS))}")
    return value


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder by name, in float32.

    Raises:
        ModelError: if there is no safetensors file, or it is damaged.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        others = [p.name for p in (*folder.glob("*.bin"), *folder.glob("*.safetensors*"))]
        has = f"; it has {', '.join(sorted(others))}, which are not read" if others else ""
        raise ModelError(
            f"{folder}: has no {WEIGHTS}{has}: pickled weights could run code, so they are never opened. "
            "Take a folder or revision with one safetensors file, or convert it where you trust it: "
            "AutoModel.from_pretrained(FOLDER).save_pretrained(NEW)"
        )
    try:
        return {_modern(name): tensor.float() for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise ModelError(f"{path}: cannot be read ({error}); fetch it again") from None


def _modern(name: str) -> str:
    """Names of old files: layer norms had a gamma and a beta."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _load(model: nn.Module, tensors: dict[str, Tensor], family: Family, where: Path) -> dict[str, Tensor]:
    """Copy the encoder's tensors; those that are left."""
    own = model.state_dict()
    prefix = max(("", *family.prefixes), key=lambda p: sum(p + name in tensors for name in own))
    missing = [name for name in own if prefix + name not in tensors]
    if missing:
        raise ModelError(
            f"{where}: lacks {len(missing)} tensors of the encoder, such as {missing[0]}; fetch it again"
        )
    for name, tensor in own.items():
        if tensors[prefix + name].shape != tensor.shape:
            raise ModelError(
                f"{where}: {name} has the shape {tuple(tensors[prefix + name].shape)}; {CONFIG} says "
                f"{tuple(tensor.shape)}"
            )
    model.load_state_dict({name: tensors[prefix + name] for name in own})
    taken = {prefix + name for name in own}
    return {name: tensor for name, tensor in tensors.items() if name not in taken}


def read_tokenizer(folder: Path) -> bytes:
    """The bytes of ``tokenizer.json``.

    Raises:
        ModelError: if there is none.
    """
    if not (folder / TOKENIZER).is_file():
        raise ModelError(
            f"{folder}: has no {TOKENIZER}; write it with: "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        )
    return (folder / TOKENIZER).read_bytes()


def licence_of(folder: Path) -> str:
    """What the card of a folder states as its licence."""
    try:
        text = (folder / CARD).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    head = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^licen[sc]e:\s*[\"']?([^\s\"'#]+)", head[1], re.MULTILINE) if head else None
    return found[1] if found else "unstated: see where the weights are from"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

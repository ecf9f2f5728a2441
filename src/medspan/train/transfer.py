"""Weight transfer: an encoder starts from tensors of another, copied by name (after Sachan et al. 2018).

The vocabulary of the donor stays, with the training words it lacks behind it; so its tables are copied row by
row. The rows behind them start from the vectors of their n-grams where the donor has some, else at random.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from medspan.config import Recipe, TransferConfig
from medspan.errors import ModelError, TrainingError, did_you_mean
from medspan.features.vocab import Vocab, read_vocab
from medspan.model.pretrained import BUCKETS, HEAD, SUBWORDS, TENSORS, is_pretrained, open_pretrained
from medspan.model.spec import CorpusSpec
from medspan.model.store import open_model
from medspan.packaged import model_names, named_model
from medspan.shipped import shipped_starts
from medspan.tags import iobes_tags
from medspan.train.graph_weights import PROJECT, graph_tensors, widened
from medspan.train.heads.tags import TagHead
from medspan.train.pretrain.settings import LmRecipe
from medspan.train.pretrain.subwords import Subwords
from medspan.train.quantize import unpack_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from medspan.model.pretrained import PretrainedSpec
    from medspan.model.spec import ModelSpec
    from medspan.train.network import Network

_Recipe = TypeVar("_Recipe", bound=Recipe | LmRecipe)
WORDS = "encoder.features.words.weight"
_TABLES = (
    WORDS,
    "encoder.features.chars.weight",
    "encoder.chars.weight",
    "head.output.weight",
    "head.bias.weight",
)
"""Tables whose rows are ids of a vocabulary."""
_MOST_NAMES = 12
_COPIED = ("encoder.", "head.")
"""Begins of the names of what is copied; `head.` is a language model's, a tagger's are `heads.`."""
_COPIED_HEADS = (*_COPIED, "heads.", "groups.")


class Donor(NamedTuple):
    """What is copied from.

    ``spec`` names it, ``tensors`` are by name, ``texts`` is what they were learnt from, ``subwords`` is there
    where n-grams have vectors, ``labels`` are those of its heads, by head.
    """

    spec: CorpusSpec
    vocab: Vocab
    tensors: dict[str, Tensor]
    texts: tuple[CorpusSpec, ...]
    subwords: Subwords | None = None
    labels: Mapping[str, tuple[str, ...]] = {}


class Transferred(msgspec.Struct, frozen=True):
    """What a transfer did, by names of tensors; ``new_words`` are rows the donor's table lacked."""

    donor: str
    loaded: tuple[str, ...]
    new: tuple[str, ...]
    left_over: tuple[str, ...]
    mis_shaped: tuple[str, ...]
    new_words: int = 0
    from_subwords: int = 0

    def lines(self) -> list[str]:
        """What a person should read once."""
        counts = ", ".join(
            f"{len(getattr(self, part))} {part.replace('_', ' ').replace('mis s', 'mis-s')}"
            for part in ("loaded", "new", "left_over", "mis_shaped")
        )
        found = [f"transfer from {self.donor}: {counts}"]
        if self.new_words:
            found.append(f"  words it lacks: {self.new_words}, {self.from_subwords} start from their n-grams")
        named = {"new": self.new, "left over": self.left_over, "mis-shaped": self.mis_shaped}
        found.extend(f"  {part}: {_some(names)}" for part, names in named.items() if names)
        return found


def _some(names: Sequence[str]) -> str:
    """Names in a row; of many the first ones, since metrics.json holds them all."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def open_donor(folder: Path, *, with_head: bool = False) -> Donor:
    """Read what a recipe wants to start from.

    Args:
        folder: a pretrained one, or a model.
        with_head: read a language model's head too, for one that learns on.

    Raises:
        ModelError: if the folder is neither a pretrained one nor a model, is damaged, or holds a transformer
            without its ``model.safetensors``.
    """
    try:
        if is_pretrained(folder):
            pretrained = open_pretrained(folder)
            vocab = read_vocab(pretrained.read("vocab.json"))
            tensors = unpack_bytes(load_tensors(pretrained.read(TENSORS)))
            if with_head and HEAD in pretrained.spec.files:
                tensors |= unpack_bytes(load_tensors(pretrained.read(HEAD)))
            subwords = None
            if SUBWORDS in pretrained.spec.files:
                shared = unpack_bytes(load_tensors(pretrained.read(SUBWORDS)))[BUCKETS]
                subwords = Subwords(shared.numpy(), pretrained.spec.subwords)
            spec = _spec_of(pretrained.spec, TENSORS)
            return Donor(spec, vocab, tensors, pretrained.spec.texts, subwords)
        model = open_model(folder)
        weights = "model.safetensors" if "model.safetensors" in model.spec.files else "model.onnx"
        if weights == "model.onnx":
            tensors = graph_tensors(model)
        else:
            tensors = unpack_bytes(load_tensors(model.read(weights)))
    except (SafetensorError, KeyError) as error:
        raise ModelError(f"{folder}: its tensors cannot be read ({error}); copy it again") from None
    texts = (*model.spec.provenance.texts, *model.spec.provenance.corpora)
    labels = {head.name: head.labels for head in model.spec.heads}
    spec = _spec_of(model.spec, weights)
    return Donor(spec, read_vocab(model.read("vocab.json")), tensors, texts, labels=labels)


def find_donor(recipe: _Recipe, base: Path, start: Path | None) -> tuple[_Recipe, Donor | None]:
    """What a recipe starts from, read, and the recipe that says so.

    Args:
        recipe: its ``transfer`` may name a folder, a pretrained encoder that comes with the package, or a
            model by its name.
        base: folder that relative paths in it start from.
        start: what to start from instead; the recipe then keeps its name alone, since a path tells of the
            machine it was on.

    Raises:
        ModelError: if there is none, or it cannot be read.
    """
    config = recipe.transfer
    if start is not None:
        kept = TransferConfig(source=start.name) if config is None else config
        config = msgspec.structs.replace(kept, source=start.name)
        recipe = msgspec.structs.replace(recipe, transfer=config)
    if config is None:
        return recipe, None
    folder = _find_start(start or Path(config.source), base if start is None else Path())
    return recipe, open_donor(folder, with_head=isinstance(recipe, LmRecipe))


def _find_start(start: Path, base: Path) -> Path:
    """The folder of a start; one of the user's own wins over a shipped one, for it has read other text."""
    shipped = shipped_starts()
    if (base / start).is_dir():
        return base / start
    if str(start) in shipped:
        return shipped[str(start)]
    if model := named_model(str(start)):
        return model
    raise ModelError(
        f"nothing to start from: {base / start} is no folder, and {start.name!r} does not come with the "
        f"package ({did_you_mean(start.name, {*shipped, *model_names()})})"
    )


def _spec_of(spec: PretrainedSpec | ModelSpec, file: str) -> CorpusSpec:
    return CorpusSpec(spec.name, spec.licence, {"weights": spec.files[file]})


def licence_of(stated: str, donor: Donor | None) -> str:
    """The licence of weights: what a recipe states, but share-alike where their start is."""
    if donor is None or not _is_share_alike(donor.spec.licence) or _is_share_alike(stated):
        return stated
    return donor.spec.licence


def _is_share_alike(licence: str) -> bool:
    return licence.upper().replace(" ", "-").startswith("CC-BY-SA")


def fit_first_layer(network: Network, donor: Donor, recipe: Recipe) -> None:
    """Narrow the first layer of a network in place where its recipe and its donor have narrowed theirs alike.

    A recipe that narrows first (`train.narrow_first`) to as many directions of the word features as the donor
    reads goes on with the donor's; for any other `transfer` widens the donor's first layer.

    Args:
        network: its weights are to be copied from the donor afterwards.
        donor: as `open_donor` gives it.
        recipe: the network's.
    """
    features = network.features
    if PROJECT not in donor.tensors or features is None or not hasattr(network.encoder, "narrow"):
        return
    rank, width = donor.tensors[PROJECT].shape
    if recipe.train.narrow_first and recipe.export.input_rank == rank and features.width == width:
        # The moments do not matter: the transfer fills in the donor's directions.
        network.encoder.narrow(rank, torch.eye(width, dtype=torch.float64))  # type: ignore[operator]


def transfer(network: nn.Module, donor: Donor, vocab: Vocab, *, with_heads: bool = False) -> Transferred:
    """Copy the donor's encoder into a network whose vocabulary extends the donor's.

    Args:
        network: its tensors are changed in place; heads start afresh, but for a language model's head where
            the donor brings one.
        donor: where the tensors come from.
        vocab: ``extend_vocab(donor.vocab, ...)``, which the network was built with.
        with_heads: copy a tagger's layers of entity types of the same names, and its heads by label, too.

    Raises:
        TrainingError: if no tensor fits.
    """
    copied = _COPIED_HEADS if with_heads else _COPIED
    own = {n: t for n, t in network.state_dict().items() if n.startswith(copied)}
    if PROJECT in donor.tensors and PROJECT not in own:
        donor = donor._replace(tensors=widened(donor.tensors))
    given = {n: t for n, t in donor.tensors.items() if n.startswith(copied)}
    if with_heads and donor.labels:
        exported = tuple(f"heads.{name}." for name in donor.labels)
        given = {n: t for n, t in given.items() if not n.startswith(exported)}
        given |= dict(_head_tensors(network, donor))
    loaded = [name for name, tensor in own.items() if name in given and _fits(name, given[name], tensor)]
    if not loaded:
        raise TrainingError(
            f"transfer.from: no tensor of {donor.spec.name} fits this encoder; give [encoder] the kind "
            "and the widths it was pretrained with"
        )
    with torch.no_grad():
        for name in loaded:
            own[name][: len(given[name])] = given[name]
    new_words = vocab.n_words - donor.vocab.n_words if WORDS in loaded else 0
    made = _start_new_words(own[WORDS], donor, vocab) if new_words else 0
    return Transferred(
        donor.spec.name,
        tuple(loaded),
        tuple(name for name in own if name not in given),
        tuple(sorted(name for name in donor.tensors if name not in own)),  # safetensors keeps no order
        tuple(name for name in own if name in given and name not in loaded),
        new_words,
        made,
    )


def _head_tensors(network: nn.Module, donor: Donor) -> Iterator[tuple[str, Tensor]]:
    """Tensors for the network's heads, with the rows of each label taken from the donor's head that has it.

    Of several the head of the same name wins. Rows of labels that no head of the donor has stay as they are.
    Of heads the donor did not export only the tensors are known: these are copied by name.
    """
    for name, head in network.named_modules():
        if not isinstance(head, TagHead):
            continue
        plain = name.removeprefix("heads.")
        if plain not in donor.labels and f"{name}.emit.weight" in donor.tensors:
            continue
        wanted = {head.begins_as.get(label, label) for label in head.labels}
        order = sorted(
            donor.labels, key=lambda other: (other != plain, -len(wanted & {*donor.labels[other]}))
        )
        source = next((other for other in order if wanted & {*donor.labels[other]}), None)
        if source is not None:
            yield from _rows_by_tag(name, head, f"heads.{source}", donor, donor.labels[source])


def _rows_by_tag(
    name: str, head: TagHead, source: str, donor: Donor, labels: Sequence[str]
) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a head where those of a donor's head are put in the rows of the tags both know."""
    places = {tag: place for place, tag in enumerate(iobes_tags(labels))}
    pairs = [
        (place, places[former])
        for place, former in enumerate(iobes_tags([head.begins_as.get(x, x) for x in head.labels]))
        if former in places
    ]
    to, of = (torch.tensor(side) for side in zip(*pairs, strict=True))
    for part, own in head.state_dict().items():
        given = donor.tensors.get(f"{source}.{part}")
        if given is None or own.ndim not in (1, 2) or given.ndim != own.ndim:
            continue
        filled = own.detach().clone()
        if part == "crf.transitions":
            filled[to[:, None], to] = given[of[:, None], of]
        elif filled.shape[1:] == given.shape[1:]:
            filled[to] = given[of]
        else:
            continue
        yield f"{name}.{part}", filled


def _fits(name: str, given: Tensor, own: Tensor) -> bool:
    if name in _TABLES:
        return given.shape[1:] == own.shape[1:] and len(given) <= len(own)
    return given.shape == own.shape


def _start_new_words(table: Tensor, donor: Donor, vocab: Vocab) -> int:
    """Give words behind the donor's the vectors of their n-grams; how many have some.

    Others keep a random start, as wide as the donor's vectors are.
    """
    first = donor.vocab.n_words
    known = table[2:first]
    with torch.no_grad():
        table[first:] *= known.std() / table[first:].std().clamp(min=1e-9)
        if donor.subwords is None:
            return 0
        vectors, has_some = donor.subwords.vectors(vocab.words[first - 2 :])
        places = first + torch.from_numpy(has_some.nonzero()[0])
        table[places] = torch.from_numpy(vectors[has_some])
    return len(places)


def rate_factors(config: TransferConfig, done: Transferred, epoch: int) -> dict[str, float]:
    """Factors of the learning rate by name of tensor; others, heads among them, have 1.

    Gradual unfreezing (Howard & Ruder 2018): the top layer waits ``freeze_epochs`` epochs, each part below
    it as many more.
    """
    depths = {name: _depth(name) for name in done.loaded if name.startswith(_COPIED)}
    top = max(depths.values())
    factors = {}
    for name, depth in depths.items():
        is_frozen = epoch < config.freeze_epochs * (top - depth + 1)
        rate = config.encoder_rate * (config.word_rate if name == WORDS else 1.0)
        factors[name] = 0.0 if is_frozen else rate
    return factors


def _depth(name: str) -> int:
    """0 for what sees words or characters by themselves, then 1 for the first layer and so on."""
    found = [int(part) for part in name.split(".") if part.isdigit()]
    return 1 + found[0] if found and "features" not in name else 0

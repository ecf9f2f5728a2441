"""What a corpus gains on dev from being trained together with others: runs, kept one by one, and differences.

A run trains some corpora of a recipe on one encoder, a head for each. The gain of B from A is dev F1 of B
where both are trained, less that of B alone; the run of a pair serves both directions. Each run's result is
a JSON file, so that a study that was stopped goes on, and pairs can be added later.
"""

from __future__ import annotations

import hashlib
import re
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from medspan.config import TRAINED_PARTS
from medspan.errors import DataError, UsageError
from medspan.metrics import gain_interval
from medspan.study.members import find_member
from medspan.study.structs import Gain
from medspan.toml import recipe_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from medspan.config import Recipe
    from medspan.study.members import Member

STATE, FOLDER = "state.json", "runs"
_KEPT = ("metrics.jsonl", "resolved.toml")
RESAMPLES, SEED = 2000, 20


class Scored(msgspec.Struct, frozen=True):
    """A corpus in a run, at its own best epoch: of each dev document hits, false positives and misses."""

    f1: float
    epoch: int
    counts: tuple[tuple[int, int, int], ...]


class RunResult(msgspec.Struct, frozen=True):
    """What is kept of a run; ``scores`` by name of member."""

    members: tuple[str, ...]
    seed: int
    minutes: float
    sentences: dict[str, int]
    scores: dict[str, Scored]


class TrainMembers(Protocol):
    """Trains a derived recipe in a folder of its own and scores dev; goes on where a checkpoint stands."""

    def __call__(self, recipe: Recipe, folder: Path, /) -> tuple[float, dict[str, int], dict[str, Scored]]:
        """Minutes, training sentences and scores, by corpus."""
        ...


class Budget(msgspec.Struct, frozen=True):
    """What a run may cost."""

    epochs: int | None = None
    """Those of the recipe where None."""
    sentences: int | None = None
    """Training sentences of each corpus at most, drawn at random."""

    def describe(self, recipe: Recipe) -> str:
        """One line for the report."""
        epochs = self.epochs or recipe.train.epochs
        sentences = f"at most {self.sentences:,}" if self.sentences else "all"
        return f"{epochs} epoch{'s' * (epochs > 1)}, {sentences} training sentences of each corpus"


class Run(NamedTuple):
    """One training: names of members in order, and the seed."""

    members: tuple[str, ...]
    seed: int

    @property
    def key(self) -> str:
        """Its name among files; a digest tells those apart that are long or hold other characters."""
        name = "+".join(self.members)
        plain = re.sub(r"[^A-Za-z0-9_+-]", "_", name)[:80]
        if plain != name:
            plain += f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        return f"{plain}-{self.seed}"


class _State(msgspec.Struct, frozen=True):
    """What a folder's runs were made with."""

    recipe: str
    budget: Budget


def pairs_of(types: Mapping[str, Sequence[Member]], named: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs (helper, target): those named ``A:B``, of any types, else all of the same type.

    Raises:
        UsageError: if a pair has another form or names no corpus of the recipe.
    """
    everyone = [member for members in types.values() for member in members]
    if not named:
        return [
            (a.name, b.name) for group in types.values() for a in group for b in group if a.corpus != b.corpus
        ]
    pairs = []
    for text in named:
        first, colon, second = text.partition(":")
        if not colon:
            raise UsageError(f"--pairs {text}: write HELPER:TARGET, two corpora of the recipe")
        pair = find_member(first, everyone), find_member(second, everyone)
        if pair[0].corpus == pair[1].corpus:
            raise UsageError(f"--pairs {text}: names one corpus twice")
        pairs.append((pair[0].name, pair[1].name))
    return pairs


def runs_of(
    pairs: Iterable[tuple[str, str]], together: Iterable[Sequence[str]], seeds: Sequence[int]
) -> list[Run]:
    """Every run the pairs need: each corpus alone, then each two, then groups as a whole; seed by seed."""
    pairs, groups = list(pairs), [tuple(sorted(group)) for group in together]
    alone = sorted({name for pair in pairs for name in pair[1:]} | {n for group in groups for n in group})
    joint = dict.fromkeys(tuple(sorted(pair)) for pair in pairs)
    wholes = [group for group in dict.fromkeys(groups) if group not in joint]
    sets = [*((name,) for name in alone), *joint, *wholes]
    return [Run(members, seed) for seed in seeds for members in sets]


def derived(recipe: Recipe, members: Sequence[Member], budget: Budget, seed: int) -> Recipe:
    """The recipe of a run: the members' corpora, a head for each; patience never ends it early."""
    used = [f"{member.head}-{member.corpus}" for member in members]
    heads = {
        _head_name(name, place): msgspec.structs.replace(
            recipe.heads[member.head], corpora=(member.corpus,), ships=True
        )
        for place, (name, member) in enumerate(zip(used, members, strict=True))
    }
    epochs = budget.epochs or recipe.train.epochs
    train = msgspec.structs.replace(recipe.train, seed=seed, epochs=epochs, patience=epochs)
    corpora = {m.corpus: recipe.corpora[m.corpus] for m in members}
    used_groups = {head.group for head in heads.values()}
    groups = {name: group for name, group in recipe.groups.items() if name in used_groups}
    return msgspec.structs.replace(recipe, corpora=corpora, heads=heads, groups=groups, train=train)


def _head_name(name: str, place: int) -> str:
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return plain if plain == name else f"{plain}-{place}"


class Runs:
    """The runs of a folder.

    Args:
        recipe: what the runs are derived from.
        members: of the recipe.
        budget: what a run may cost.
        folder: where the runs stand.
    """

    def __init__(self, recipe: Recipe, members: Sequence[Member], budget: Budget, folder: Path) -> None:
        self._recipe, self.budget, self.folder = recipe, budget, folder
        self._members = {member.name: member for member in members}

    def claim(self) -> None:
        """Begin the folder's runs, or make sure that they were begun alike.

        Raises:
            UsageError: if they were not.
        """
        path, state = self.folder / STATE, _State(self._digest(), self.budget)
        if path.exists() and self._state() != state:
            raise UsageError(
                f"{self.folder}: holds runs of another recipe, or with other --epochs or --sentences; "
                "name another -o, or give what they were begun with"
            )
        (self.folder / FOLDER).mkdir(parents=True, exist_ok=True)
        _write(path, msgspec.json.encode(state))

    def adopt(self) -> bool:
        """Take the budget of runs that stand there, to show them; whether there are some of this recipe."""
        if not (self.folder / STATE).exists():
            return False
        state = self._state()
        self.budget = state.budget
        return state.recipe == self._digest()

    def _state(self) -> _State:
        path = self.folder / STATE
        try:
            return msgspec.json.decode(path.read_bytes(), type=_State)
        except msgspec.DecodeError:
            raise DataError(f"{path}: is damaged; name another -o") from None

    def _digest(self) -> str:
        kept = {part: getattr(self._recipe, part) for part in TRAINED_PARTS}
        return hashlib.sha256(msgspec.json.encode(kept, order="sorted")).hexdigest()

    def path(self, run: Run) -> Path:
        """Where the result of a run stands."""
        return self.folder / FOLDER / f"{run.key}.json"

    def do(self, run: Run, train: TrainMembers) -> RunResult:
        """Train, unless the result stands there; then only the log of the run is left beside it."""
        path = self.path(run)
        if path.exists():
            return self._read(path)
        members = [self._members[name] for name in run.members]
        recipe = derived(self._recipe, members, self.budget, run.seed)
        folder = self.folder / FOLDER / run.key
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolved.toml").write_text(recipe_toml(recipe), encoding="utf-8")
        minutes, sentences, scores = train(recipe, folder)
        named = {member.name: scores[member.corpus] for member in members}
        result = RunResult(run.members, run.seed, round(minutes, 2), sentences, named)
        _write(path, msgspec.json.encode(result))
        for file in folder.iterdir():
            if file.name not in _KEPT:
                file.unlink()
        return result

    @staticmethod
    def _read(path: Path) -> RunResult:
        try:
            return msgspec.json.decode(path.read_bytes(), type=RunResult)
        except msgspec.DecodeError:
            raise DataError(f"{path}: is no result of a run; remove it, and the run is done again") from None

    def gains(self) -> tuple[Gain, ...]:
        """The gains of all runs whose single counterparts are there, by target, single helpers first."""
        results = [self._read(path) for path in sorted((self.folder / FOLDER).glob("*.json"))]
        results.sort(key=lambda result: result.seed)
        found = {(result.members, result.seed): result for result in results}
        sets = sorted({members for members, _ in found if len(members) > 1}, key=lambda s: (len(s), s))
        gains = [gain for members in sets for name in members if (gain := self._gain(name, members, found))]
        return tuple(sorted(gains, key=lambda gain: (gain.target, len(gain.helpers), gain.helpers)))

    def _gain(
        self, target: str, members: tuple[str, ...], found: Mapping[tuple[tuple[str, ...], int], RunResult]
    ) -> Gain | None:
        seeds = [seed for joint, seed in found if joint == members and ((target,), seed) in found]
        if not seeds:
            return None
        joint = [found[members, seed].scores[target] for seed in seeds]
        single = [found[(target,), seed].scores[target] for seed in seeds]
        interval = gain_interval(
            [score.counts for score in joint],
            [score.counts for score in single],
            seed=SEED,
            resamples=RESAMPLES,
        )
        means = fmean(score.f1 for score in single), fmean(score.f1 for score in joint)
        helpers = tuple(name for name in members if name != target)
        return Gain(target, helpers, *means, means[1] - means[0], interval, tuple(seeds))


def train_all(
    runs: Runs,
    wanted: Sequence[Run],
    train: TrainMembers,
    *,
    tell: Callable[[str], None],
    is_late: Callable[[], bool],
) -> int:
    """Do the wanted runs that are left; how many still are when time is over.

    Args:
        runs: of the folder.
        wanted: all there should be.
        train: trains one.
        tell: hears a line on each run.
        is_late: whether no further run should begin.
    """
    left = [run for run in wanted if not runs.path(run).exists()]
    for number, run in enumerate(left):
        if is_late():
            return len(left) - number
        tell(f"run {len(wanted) - len(left) + number + 1} of {len(wanted)}: {run.key}")
        result = runs.do(run, train)
        scores = ", ".join(f"{name} {score.f1:.4f}" for name, score in result.scores.items())
        tell(f"  dev F1 {scores}; {result.minutes:.1f} min")
    return 0


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, so that its being there means that a run is done."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)

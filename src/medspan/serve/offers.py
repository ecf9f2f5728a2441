"""What the service offers: models by name, stages, policies; and what a request gets of it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from medspan.errors import UsageError, did_you_mean
from medspan.model.company import company, labels_of
from medspan.pipeline import find_model
from medspan.serve.orders import Annotate, Deidentify, DeidOffer, Offer
from medspan.serve.problems import HttpError
from medspan.serve.schema import ModelAnswer
from medspan.serve.settings import NO_DEID
from medspan.serve.worker import stage_names
from medspan.tasks.deid.labels import LABELS
from medspan.tasks.deid.policy import GENERALISED, load_policy
from medspan.tasks.stages import check_stages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medspan.serve.schema import AnnotateRequest, DeidentifyRequest
    from medspan.serve.settings import Settings


class Offers:
    """What can be asked for.

    Args:
        settings: of the service.

    Raises:
        MedspanError: if a model, a stage or a policy is not there or broken.
    """

    def __init__(self, settings: Settings) -> None:
        check_stages(settings.stages)
        self._folders: dict[str, Path] = {}
        self.models: dict[str, ModelAnswer] = {}
        for model in settings.models:
            self.add(find_model(model), self._name(model))
        self.default = next(iter(self.models))
        self.stages = stage_names(settings.stages)
        policies = {Path(name).stem: load_policy(name) for name in settings.policies}
        if len(policies) < len(settings.policies):
            raise UsageError("two policies have the same name; rename a file")
        self.policies = tuple(policies)
        deid = None
        if policies:
            model = settings.deid_model
            folder = "" if model == NO_DEID else str(find_model(model))
            deid = DeidOffer(policies, settings.deid_key or secrets.token_bytes(32), folder)
        self.offer = Offer(settings.stages, deid)

    def _name(self, model: str) -> str:
        """The name of a model in requests: as it was given, or that of its folder."""
        name = Path(model).name or model
        if name in self.models:
            raise UsageError(f"--model {model}: two models are called {name!r}; rename a folder")
        return name

    def add(self, folder: Path, name: str) -> None:
        """Offer a model, in place of one that had the name.

        Raises:
            ModelError: if the folder is none of a model.
        """
        models = company(folder)
        spec = models[-1].spec
        self._folders[name] = folder
        self.models[name] = ModelAnswer(
            name, list(labels_of(models)), spec.description, spec.licence, spec.language
        )

    def folder(self, name: str) -> Path:
        """The folder of a model that is offered."""
        return self._folders[name]

    def annotate(self, asked: AnnotateRequest, *, echo: bool) -> tuple[Annotate, str]:
        """The order of a request, and the name of its model.

        Raises:
            HttpError: 422 where it asks for what is not offered.
        """
        name = asked.model or self.default
        if name not in self.models:
            raise HttpError(422, f"model: no such model here; {did_you_mean(name, self.models)}")
        labels = asked.labels
        if labels is not None:
            _check("labels", labels, self.models[name].labels)
        stages = self.stages if asked.stages is None else tuple(asked.stages)
        _check("stages", stages, self.stages)
        chosen = tuple(stage for stage in self.stages if stage in stages)
        kept = None if labels is None else tuple(sorted(set(labels)))
        folder = str(self._folders[name])
        return Annotate(folder, chosen, kept, asked.min_score, asked.offsets, echo), name

    def deidentify(self, asked: DeidentifyRequest) -> tuple[Deidentify, str]:
        """The order of a request, and the name of its policy.

        Raises:
            HttpError: 422 where it asks for what is not offered, 404 where nothing is.
        """
        if not self.policies:
            raise HttpError(404, "this service does not de-identify")
        name = asked.policy or self.policies[0]
        _check("policy", [name], self.policies)
        _check("actions", asked.actions, LABELS)
        for label, action in asked.actions.items():
            if action == "generalise" and label not in GENERALISED:
                raise HttpError(
                    422, f"actions.{label}: cannot be generalised; that is for {', '.join(GENERALISED)}"
                )
        return Deidentify(name, dict(asked.actions), asked.offsets), name

    def first_orders(self) -> list[Annotate | Deidentify]:
        """What workers load before the first request."""
        models = [Annotate(str(folder), self.stages) for folder in self._folders.values()]
        return [*models, *([Deidentify(self.policies[0])] if self.policies else [])]


def _check(key: str, wanted: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a name that is not known.

    Raises:
        HttpError: 422, naming the key and what is near; never the name, which could be anything.
    """
    known = list(known)
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, known) if known else "none are offered here"
            raise HttpError(422, f"{key}: one is not offered; {hint}")

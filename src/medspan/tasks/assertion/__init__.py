"""Whether an entity is present, absent, possible ..., and whether it is current: by cues, by a trained head, or both."""

from medspan.tasks.assertion.annotator import Assertion

__all__ = ["Assertion"]

"""Whether an entity is present, absent, possible ..., and current: by cues, a trained head, or both."""

from medspan.tasks.assertion.annotator import Assertion

__all__ = ["Assertion"]

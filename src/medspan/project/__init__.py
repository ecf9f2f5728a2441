"""Correct and learn: documents that people annotate, kept in one file, and models trained on them."""

from medspan.project.store import Project

__all__ = ["Project"]

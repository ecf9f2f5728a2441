"""The report of an evaluation, and how it is shown: JSON, Markdown, HTML with plots, a terminal table."""

from medspan.report.structs import (
    Bucket,
    Confusion,
    Counted,
    ErrorGroup,
    Example,
    LabelErrors,
    LabelScore,
    Report,
    Settings,
)

__all__ = [
    "Bucket",
    "Confusion",
    "Counted",
    "ErrorGroup",
    "Example",
    "LabelErrors",
    "LabelScore",
    "Report",
    "Settings",
]

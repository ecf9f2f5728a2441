"""What comes with the package: models that annotate, and pretrained encoders to start from."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path(__file__).resolve().parent


def shipped_models() -> dict[str, Path]:
    """Models that come with the package, name → folder."""
    return _folders("models")


def shipped_starts() -> dict[str, Path]:
    """Pretrained encoders that come with the package, name → folder."""
    return _folders("pretrained")


def _folders(kind: str) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in sorted((_ROOT / kind).glob("*/config.json"))}

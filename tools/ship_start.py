"""A pretrained folder as it comes with the package: tables in eight bits, no head of a language model.

    python -m tools.ship_start FOLDER src/medspan/pretrained/NAME

The head is two thirds of the folder, and only a language model that learns on would read it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from safetensors.torch import load, save

from medspan.model.pretrained import (
    BUCKETS,
    HEAD,
    SUBWORDS,
    TENSORS,
    open_pretrained,
    save_pretrained,
)
from medspan.train.quantize import pack_bytes, unpack_bytes
from medspan.train.transfer import WORDS


def main(arguments: list[str] | None = None) -> int:
    """Read, pack, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args(arguments)
    given = open_pretrained(options.folder)
    files = {name: given.read(name) for name in given.spec.files if name not in {HEAD, "README.md"}}
    for name in {TENSORS, SUBWORDS} & files.keys():
        files[name] = save(pack_bytes(unpack_bytes(load(files[name])), (WORDS, BUCKETS)))
    save_pretrained(options.target, given.spec, files)
    size = sum(path.stat().st_size for path in options.target.iterdir())
    print(f"{options.target}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

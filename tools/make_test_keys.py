"""Makes src/medspan/corpora/test_keys.bin: the keys of every test split that lies on this machine.

    MEDSPAN_DATA=FOLDER PYTHONPATH=src python tools/make_test_keys.py [--check]

Needed again whenever the sentence splitter changes, for it cuts the documents that have no marked sentences.
With --check nothing is written and a difference exits 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from medspan.corpora.leaks import local_test_keys, pack_keys, unpack_keys

TARGET = Path(__file__).parent.parent / "src" / "medspan" / "corpora" / "test_keys.bin"


def main() -> int:
    """Write or check the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on a difference")
    check = parser.parse_args().check
    by_corpus = local_test_keys()
    for name, keys in by_corpus.items():
        sys.stderr.write(f"{name}: {len(keys)}\n")
    everything = frozenset().union(*by_corpus.values())
    packed = pack_keys(everything)
    stale = not TARGET.exists() or unpack_keys(TARGET.read_bytes()) != everything
    sys.stderr.write(f"{len(everything)} keys, {len(packed)} bytes; {'differs' if stale else 'up to date'}\n")
    if stale and not check:
        TARGET.write_bytes(packed)
    return int(check and stale)


if __name__ == "__main__":
    raise SystemExit(main())

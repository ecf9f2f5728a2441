"""``python -m medspan`` does what the command ``medspan`` does."""

from __future__ import annotations

import sys

from medspan.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

"""``python -m tools annotate|test|wheels``: finds a Python that is new enough and hands over to bootstrap.py.

This file alone must be readable by any old Python, so that it can say what is wrong.
"""

import os
import subprocess
import sys

NEEDED = (3, 11)
KNOWN_MINORS = (14, 13, 12, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def is_new_enough(command):
    """Whether a command starts a Python of the version needed; a broken shim or a missing one does not."""
    test = "import sys; sys.exit(sys.version_info < %r)" % (NEEDED,)
    with open(os.devnull, "w") as nowhere:
        try:
            return subprocess.call(command + ["-c", test], stdout=nowhere, stderr=nowhere) == 0
        except OSError:
            return False


def newer_python():
    """The command of a newer Python on this machine, or None."""
    for minor in KNOWN_MINORS:
        for command in (["python3.%d" % minor], ["py", "-3.%d" % minor]):
            if is_new_enough(command):
                return command
    return None


def main():
    """Run bootstrap.main with this Python or a newer one."""
    if sys.version_info >= NEEDED:
        sys.path.insert(0, ROOT)
        from tools import bootstrap

        return bootstrap.main(sys.argv[1:])
    command = newer_python()
    if command is None:
        sys.stderr.write(
            "medspan needs Python %d.%d or newer; this is %d.%d (%s), and no newer one is on the PATH.\n"
            "Install one (python.org, your package manager, pyenv), then name it, for example:\n"
            "    make annotate PYTHON=/path/to/python3.12\n"
            "    /path/to/python3.12 -m tools annotate\n"
            % (NEEDED + tuple(sys.version_info[:2]) + (sys.executable,))
        )
        return 1
    return subprocess.call(command + ["-m", "tools"] + sys.argv[1:], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main())

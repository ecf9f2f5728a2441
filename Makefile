# Commands for a fresh clone on a machine with only Python (3.11 or newer) and make.
# The work is done by tools/bootstrap.py; on Windows: python -m tools annotate, and so on
#
#   make annotate              annotate examples/: a coloured listing, out/annotations.jsonl and .html
#   make test                  run the whole test suite; ARGS="-k viterbi" goes to pytest
#   make wheels                dist/: medspan, and each package of models/ that holds its model
#   make … PYTHON=python3.12   with this Python
#   make … WHEELS=folder       install from a folder of wheels, without a network

.PHONY: help annotate test wheels

help:
	@sed -n 's/^#  //p' Makefile

annotate test wheels:
	@for python in $(PYTHON) python3 python python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c "" >/dev/null 2>&1; then exec "$$python" -m tools $@ $(ARGS); fi; \
	done; \
	echo "medspan needs Python 3.11 or newer, and there is no python3 on the PATH: install one from python.org or with your package manager." >&2; \
	exit 1

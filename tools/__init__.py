"""Sets up a clone of medspan with nothing but Python: python -m tools annotate, python -m tools test."""

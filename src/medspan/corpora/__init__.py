"""Public corpora: what there is, how to get it, how to read it, what leaks between them."""

from __future__ import annotations

from medspan.corpora.load import find_corpus, load, local_names, split_path

__all__ = ["find_corpus", "load", "local_names", "split_path"]

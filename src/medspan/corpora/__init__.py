"""Public corpora: what there is, how to get it, how to read it, what leaks between them."""

from __future__ import annotations

from medspan.corpora.catalogue import Corpus, catalogue, find_entry, known_entry, list_corpora
from medspan.corpora.leaks import (
    Leaks,
    find_leaks,
    keys_of,
    leaking_sentences,
    local_test_keys,
    refuse_large,
    registered_keys,
    sentence_key,
    sentences_of,
)
from medspan.corpora.load import all_splits, find_corpus, load, local_names, places_of, split_path

__all__ = [
    "Corpus",
    "Leaks",
    "all_splits",
    "catalogue",
    "find_corpus",
    "find_entry",
    "find_leaks",
    "keys_of",
    "known_entry",
    "leaking_sentences",
    "list_corpora",
    "load",
    "local_names",
    "local_test_keys",
    "places_of",
    "refuse_large",
    "registered_keys",
    "sentence_key",
    "sentences_of",
    "split_path",
]

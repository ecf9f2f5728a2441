"""A model folder, read and run: spec, store, session, decoder, tagger, golden texts."""

"""Learning from a dictionary: terms, an annotator, and windows of text around what it finds."""

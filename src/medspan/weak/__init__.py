"""Learning without annotators: terms of a dictionary, windows around them, and a model's own sure sentences."""

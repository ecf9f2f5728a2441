"""Learning from text nobody labelled: word vectors and language models over the encoders of the tagger."""

"""Training of the assertion head: generated sentences, corpora, and a log-linear model fitted with numpy."""

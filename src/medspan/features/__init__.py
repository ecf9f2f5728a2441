"""Documents → arrays; the same code in training and in use."""

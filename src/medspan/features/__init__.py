"""Documents to arrays, the same in training and inference."""

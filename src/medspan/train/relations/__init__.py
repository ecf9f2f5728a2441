"""Training of relation models: a pair head and a head that points, over the encoders of taggers."""

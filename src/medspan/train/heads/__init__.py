"""Heads: what is learnt on top of encoder states."""

"""Samples of PyTorch's own test suite, as fixtures: one thing a file; `make-samples.py` writes what they draw."""

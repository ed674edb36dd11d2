"""The operations that make-ops.py asks PyTorch about, a file for each kind."""

"""What make-layers.py asks PyTorch about, a file for each kind."""

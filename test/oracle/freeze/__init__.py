"""What freezing is in PyTorch: which of its own ways leak, and by how much."""

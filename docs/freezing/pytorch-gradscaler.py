"""A GradScaler fails when an optimizer's parameters are all frozen."""

import sys

import torch

body, head = torch.nn.Linear(4, 4).requires_grad_(False), torch.nn.Linear(4, 1)
optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (body, head)]
scaler = torch.amp.GradScaler("cpu")
scaler.scale(head(body(torch.ones(2, 4))).mean()).backward()
try:
    for optimizer in optimizers:
        scaler.step(optimizer)
    message = None
except AssertionError as error:
    message = str(error)
print(f"PyTorch {torch.__version__.split('+')[0]}: {message}")
sys.exit(message != "No inf checks were recorded for this optimizer.")

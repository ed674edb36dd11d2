"""90 of 100 embedding rows are frozen by a mask on the gradient, as is usual in PyTorch; 10,000 steps of AdamW."""

import sys

import torch

torch.manual_seed(0)
embedding = torch.nn.Embedding(100, 8)
mask = (torch.arange(100) < 10).float().unsqueeze(1)
embedding.weight.register_hook(lambda grad: grad * mask)
optimizer = torch.optim.AdamW(embedding.parameters(), lr=3e-4, weight_decay=0.1)
before = embedding.weight[10:].detach().clone()

for _ in range(10_000):
    optimizer.zero_grad()
    embedding(torch.randint(100, (64,))).square().mean().backward()
    optimizer.step()

after = embedding.weight[10:].detach()
changed = int((after != before).sum())
kept = (after.norm() / before.norm()).item()
version = torch.__version__.split("+")[0]
print(
    f"PyTorch {version}, gradient mask: {changed} of {before.numel()} frozen elements changed, "
    f"{kept:.4f} of their norm is left"
)
sys.exit(not 0.740 < kept < 0.742)

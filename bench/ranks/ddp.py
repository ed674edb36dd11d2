"""W3 with 256 samples a rank under PyTorch's DistributedDataParallel, with gloo.

    python ddp.py --ranks 2

prints {"ms": median step, "version": ...}. Each rank is a process of one thread, on a core of its own. One rank
(--ranks 1) trains without DDP.
"""

import argparse
import json
import os
import statistics
import tempfile
import time

import torch
from torch import nn


def train(rank, ranks, store):
    torch.set_num_threads(1)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[rank % len(cores)]})
    if ranks > 1:
        torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=ranks)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1024, 4096), nn.ReLU(), nn.Linear(4096, 1024))
    model = nn.parallel.DistributedDataParallel(net) if ranks > 1 else net
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    x, y = torch.randn(256, 1024), torch.randn(256, 1024)
    times = []
    for i in range(-8, 24):
        start = time.perf_counter()
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()
        if i >= 0:
            times.append((time.perf_counter() - start) * 1000)
    if rank == 0:
        print(json.dumps({"ms": statistics.median(times), "version": torch.__version__}), flush=True)
    if ranks > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ranks", type=int, default=2)
    ranks = parser.parse_args().ranks
    store = tempfile.mktemp()
    if ranks == 1:
        train(0, 1, store)
    else:
        torch.multiprocessing.spawn(train, (ranks, store), nprocs=ranks)

"""DistributedDataParallel collects parameters when it wraps: thawed later, ranks drift apart; frozen later, it errs."""

import os
import sys
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def work(rank, folder, results):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.manual_seed(0)  # the same start on both ranks
    thawed, frozen, unused = (nn.Sequential(*[nn.Linear(3, 3) for _ in range(3)]) for _ in range(3))
    torch.manual_seed(rank + 1)  # and other data
    # Last what fails, as it leaves the group waiting.
    results.put((thaw_later(thawed), differ(rank, unused), freeze_later(frozen)))
    results.close()
    results.join_thread()
    dist.barrier()
    os._exit(0)  # Gloo's threads may abort a process that ends by itself.


def thaw_later(net):
    net[0].requires_grad_(False)
    wrapped = DistributedDataParallel(net)
    net[0].requires_grad_(True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    for _ in range(100):
        optimizer.zero_grad()
        wrapped(torch.randn(10, 3)).square().mean().backward()
        optimizer.step()
    return apart(net[0].weight), apart(net[1].weight)


def apart(weight):
    ranks = [torch.zeros_like(weight) for _ in range(2)]
    dist.all_gather(ranks, weight.detach())
    return (ranks[0] - ranks[1]).abs().max().item()


def freeze_later(net):
    wrapped = DistributedDataParallel(net)
    net[0].requires_grad_(False)
    try:
        for _ in range(2):
            wrapped(torch.randn(10, 3)).square().mean().backward()
    except RuntimeError as error:
        return str(error).split(".")[0]
    return None


class One(nn.Module):
    """Uses one of its layers."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x, which):
        return self.layers[which](x)


def differ(rank, layers):
    """Rank 0 trains the first layer, rank 1 the second; nobody the third."""
    x = torch.ones(10, 3)
    alone = torch.autograd.grad(layers[0](x).square().mean(), layers[0].weight)[0]
    wrapped = DistributedDataParallel(One(layers), find_unused_parameters=True)
    wrapped(x, rank).square().mean().backward()
    return (layers[0].weight.grad.norm() / alone.norm()).item(), str(layers[2].weight.grad)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        results = mp.get_context("spawn").Queue()
        processes = mp.spawn(work, (folder, results), nprocs=2, join=False)
        ((thawed, other), (share, none), message), _ = results.get(timeout=60), results.get(timeout=60)
        processes.join()
    version = torch.__version__.split("+")[0]
    print(
        f"PyTorch {version}, 2 ranks: after 100 steps a layer thawed after wrapping differs by {thawed:.4f}, "
        f"the other by {other:.4f}"
    )
    print(f"PyTorch {version}, 2 ranks: a layer frozen after wrapping: {message}")
    print(
        f"PyTorch {version}, 2 ranks, find_unused_parameters: a layer used by no rank has the gradient {none}, "
        f"one used by one rank {share:.1f} of its own"
    )
    expected = "Expected to have finished reduction"
    drift = thawed > 1e-3 and other == 0
    sys.exit(not (drift and (message or "").startswith(expected) and none == "None" and share == 0.5))

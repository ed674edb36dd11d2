"""What text models are made of, in PyTorch on one thread, for run.ts: a line of JSON asks for rounds of a case, one answers.

{"name": "layer norm", "rounds": 3, "dropout": 0.1} is answered by {"ms": [processor time of each round]}.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)


class Encoder(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        layer = nn.TransformerEncoderLayer(384, 6, 1536, dropout, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 6)
        self.head = nn.Linear(384, 10)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))


def encoder(trained, dropout, compiled=False):
    net = Encoder(dropout).train()
    for name, p in net.named_parameters():
        p.requires_grad = trained == "all" or name.startswith(("head.",) if trained == "head" else ("head.", "encoder.layers.4.", "encoder.layers.5."))
    x, y = torch.randn(8, 64, 384), torch.randint(0, 10, (8,))
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=1e-4, fused=True)
    loss = lambda x, y: F.cross_entropy(net(x), y)
    if compiled:
        loss = torch.compile(loss)

    def step():
        optimizer.zero_grad()
        value = loss(x, y)
        value.backward()
        optimizer.step()
        return value.item()

    return step


ROWS, WIDTH = 4096, 1024


def layer(of, *more, x=None):
    """A layer's result and its gradients, where `more` are parameters."""
    x = torch.randn(ROWS, WIDTH, requires_grad=True) if x is None else x
    wanted = [t for t in (x, *more) if t.requires_grad]
    given = None

    def run():
        nonlocal given
        result = of(x, *more)
        if given is None:
            given = torch.randn_like(result)
        return result, torch.autograd.grad(result, wanted, given)

    return run


def vector():
    return torch.rand(WIDTH, requires_grad=True)


def made(name, dropout):
    if name.startswith("encoder "):
        _, trained, how = name.split(" ")
        return encoder(trained, dropout, how == "compiled")
    return {
        "layer norm": lambda: layer(lambda x, w, b: F.layer_norm(x, [WIDTH], w, b), vector(), vector()),
        "rms norm": lambda: layer(lambda x, w: F.rms_norm(x, [WIDTH], w), vector()),
        "group norm": lambda: layer(
            lambda x, w, b: F.group_norm(x, 32, w, b),
            torch.rand(256, requires_grad=True),
            torch.rand(256, requires_grad=True),
            x=torch.randn(16, 256, 1024, requires_grad=True),
        ),
        "gelu": lambda: layer(F.gelu),
        "softmax and dropout": lambda: layer(lambda x: F.dropout(x.softmax(-1), 0.1)),
        "cross entropy": lambda: layer(lambda x, y: F.cross_entropy(x, y), torch.randint(0, WIDTH, (ROWS,))),
        "embedding": lambda: layer(
            lambda i, table: F.embedding(i, table),
            torch.randn(30000, 384, requires_grad=True),
            x=torch.randint(0, 30000, (512,)),
        ),
    }[name]()


print(json.dumps({"version": torch.__version__}), flush=True)
CASES = {}
for line in sys.stdin:
    asked = json.loads(line)
    key = (asked["name"], asked["dropout"])
    if key not in CASES:
        CASES[key] = made(*key)
    times = []
    for _ in range(asked["rounds"]):
        start = time.process_time()
        CASES[key]()
        times.append((time.process_time() - start) * 1000)
    print(json.dumps({"ms": times}), flush=True)

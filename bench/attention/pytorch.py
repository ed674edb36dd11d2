"""scaled_dot_product_attention, forward and backward, for run.ts: a line of JSON asks for rounds of a case, one answers.

{"shape": [batch, heads, length, size], "causal": false, "lengths": [length of each batch] or null, "rounds": 3}
is answered by {"ms": [time of each round]}.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(0)
CASES = {}


def prepared(shape, lengths):
    query, key, value = (torch.randn(shape, requires_grad=True) for _ in range(3))
    batch, _, length, _ = shape
    mask = None if lengths is None else torch.arange(length)[None, None, None] < torch.tensor(lengths)[:, None, None, None]
    return query, key, value, torch.randn(shape), mask


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    name = json.dumps([asked["shape"], asked["lengths"]])
    if name not in CASES:
        CASES[name] = prepared(asked["shape"], asked["lengths"])
    query, key, value, gradient, mask = CASES[name]
    times = []
    for _ in range(asked["rounds"]):
        start = time.perf_counter()
        result = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=asked["causal"])
        torch.autograd.grad(result, (query, key, value), gradient)
        times.append((time.perf_counter() - start) * 1000)
    print(json.dumps({"ms": times}), flush=True)

"""Writes late.json.gz: the first steps of a parameter that joins after 8,000 steps of another, under every optimizer."""

import torch

from fixture import SOURCE, quiet, write

STEPS = 8000
# The options are those of test/optim/optimizers.ts.
OPTIMIZERS = {
    "SGD": (torch.optim.SGD, {"weight_decay": 0.1}),
    "SGD with momentum": (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
    "Adam": (torch.optim.Adam, {"weight_decay": 0.1, "amsgrad": True}),
    "AdamW": (torch.optim.AdamW, {"weight_decay": 0.1}),
    "Adamax": (torch.optim.Adamax, {"weight_decay": 0.1}),
    "NAdam": (torch.optim.NAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "RAdam": (torch.optim.RAdam, {"weight_decay": 0.1}),
    "RMSprop": (torch.optim.RMSprop, {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    "Adagrad": (torch.optim.Adagrad, {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.1}),
    "Adadelta": (torch.optim.Adadelta, {"weight_decay": 0.1}),
    "Rprop": (torch.optim.Rprop, {}),
    "ASGD": (torch.optim.ASGD, {"t0": 0, "weight_decay": 0.1}),
    "Adafactor": (torch.optim.Adafactor, {"weight_decay": 0.1, "d": 2}),
}
START = [1.0, -2.5, 3.5]
GRADIENTS = [[0.1, 0.2, -0.3], [0.2, -0.1, -0.3], [0.3, 0.1, 0.2]]


def first_steps(make, options, before):
    early = torch.nn.Parameter(torch.tensor([0.5, -0.5]))
    late = torch.nn.Parameter(torch.tensor(START))
    optimizer = make([early, late], lr=0.1, **options)
    for step in range(before):
        early.grad = torch.tensor([0.1, -0.2]) * (1 if step % 2 == 0 else -1)
        optimizer.step()
    early.grad = None
    values = []
    for gradient in GRADIENTS:
        late.grad = torch.tensor(gradient)
        optimizer.step()
        values.append(late.detach().clone())
    return values


quiet()
cases = {}
for name, (make, options) in OPTIMIZERS.items():
    late = first_steps(make, options, STEPS)
    assert all(torch.equal(a, b) for a, b in zip(late, first_steps(make, options, 0))), name
    cases[name] = [value.tolist() for value in late]
write(
    "late.json.gz",
    {"source": SOURCE, "before": STEPS, "start": START, "gradients": GRADIENTS, "values": cases},
)

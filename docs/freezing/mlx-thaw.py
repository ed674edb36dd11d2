"""A module thawed after the optimizer's first update has no state there: a KeyError, until init() is called again."""

import sys
from importlib.metadata import version

import mlx.core as mx
from mlx import nn, optimizers

net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
optimizer = optimizers.AdamW(learning_rate=0.01)
gradients_of = nn.value_and_grad(net, lambda net, x: net(x).square().mean())


def step():
    optimizer.update(net, gradients_of(net, mx.ones((8, 4)))[1])
    mx.eval(net.parameters(), optimizer.state)


net.layers[0].freeze()
step()
net.layers[0].unfreeze()
try:
    step()
    message = None
except KeyError as error:
    message = repr(error)
optimizer.init(net.trainable_parameters())
step()
print(f"MLX {version('mlx')}: {message}; after init() it trains")
sys.exit(message is None)

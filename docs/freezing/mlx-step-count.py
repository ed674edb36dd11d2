"""Adam with bias correction counts the optimizer's steps: a parameter that joins late starts too fast."""

import sys
from importlib.metadata import version

import mlx.core as mx
from mlx import optimizers

optimizer = optimizers.Adam(learning_rate=0.01, bias_correction=True)
optimizer.init({"a": mx.zeros(1), "b": mx.zeros(1)})
one = mx.ones(1)
for _ in range(8000):
    mx.eval(optimizer.apply_gradients({"a": one}, {"a": one}), optimizer.state)
times = -optimizer.apply_gradients({"b": one}, {"b": mx.zeros(1)})["b"].item() / 0.01
print(f"MLX {version('mlx')}: after 8,000 steps of another parameter, a first step is {times:.3f} × lr")
sys.exit(not times > 3.1)

"""The column of MLX in the table of docs/freezing.md."""

import mlx.core as mx
from mlx import nn, optimizers

yes = {True: "yes", False: "no"}
one, zero = mx.ones(1), mx.zeros(1)


def adamw(*names):
    optimizer = optimizers.AdamW(learning_rate=0.01, bias_correction=True)
    optimizer.init({name: one for name in names})
    optimizer.apply_gradients({name: one for name in names}, {name: one for name in names})
    return optimizer


def network():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    gradients_of = nn.value_and_grad(net, lambda x: net(x).square().mean())
    return net, lambda: gradients_of(mx.ones((2, 3)))[1]


def frozen_stays():
    net, gradients = network()
    optimizer = optimizers.AdamW(learning_rate=0.01)
    optimizer.update(net, gradients())
    net.layers[0].freeze()
    before = mx.array(net.layers[0].weight)
    optimizer.update(net, gradients())
    return mx.array_equal(net.layers[0].weight, before).item()


def thaws():
    net, gradients = network()
    net.layers[0].freeze()
    optimizer = optimizers.AdamW(learning_rate=0.01)
    optimizer.update(net, gradients())
    net.layers[0].unfreeze()
    try:
        optimizer.update(net, gradients())
        return True
    except KeyError:
        return False


def masked_stays():
    return adamw("a").apply_gradients({"a": zero}, {"a": one})["a"].item() == 1


def late():
    optimizer = adamw("a", "b")
    for _ in range(2000):
        mx.eval(optimizer.apply_gradients({"a": one}, {"a": one}), optimizer.state)
    fresh = optimizers.Adam(learning_rate=0.01, bias_correction=True)
    optimizer.state["b"] = {"m": zero, "v": zero}
    steps = [o.apply_gradients({"b": one}, {"b": zero})["b"].item() for o in (fresh, optimizer)]
    return steps[1] / steps[0]


def keeps_state():
    optimizer = adamw("a", "b")
    before = mx.array(optimizer.state["b"]["m"])
    optimizer.apply_gradients({"a": one}, {"a": one})
    return mx.array_equal(optimizer.state["b"]["m"], before).item()


def statistics_stay():
    norm = nn.BatchNorm(4)
    norm.freeze()
    norm(mx.random.normal((8, 4)) + 1)
    return not mx.any(norm.running_mean).item()


print(f"skips a null gradient: {yes[keeps_state()]}")
print(f"a frozen flag is enough: {yes[frozen_stays()]}")
print(f"can freeze some rows of a weight: {yes[masked_stays()]}")
print(f"counts steps per parameter: {yes[late() < 1.01]}")
print(f"keeps moments over a freeze: {yes[keeps_state()]}")
print(f"can freeze and thaw between any two steps: {yes[thaws()]}")
print(f"holds the statistics of a frozen BatchNorm: {yes[statistics_stay()]}")

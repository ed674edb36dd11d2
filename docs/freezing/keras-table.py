"""The column of Keras in the table of docs/freezing.md."""

import os
import warnings

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
warnings.simplefilter("ignore")
import keras
import numpy as np

yes = {True: "yes", False: "no"}
one, zero = keras.ops.ones((1,)), keras.ops.zeros((1,))
x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


def stepped(count=1, optimizer=keras.optimizers.AdamW):
    """Variables and an optimizer that has taken a step with them."""
    variables = [keras.Variable([1.0]) for _ in range(count)]
    made = optimizer(0.01)
    made.apply([one] * count, variables)
    return made, variables


def network():
    keras.utils.set_random_seed(0)
    body = keras.layers.Dense(3)
    return body, keras.Sequential([keras.Input((3,)), body, keras.layers.Dense(1)])


def null_stays():
    optimizer, (a, b) = stepped(2)
    before = b.numpy()
    optimizer.apply([one, None], [a, b])
    return bool((b.numpy() == before).all())


def masked_stays():
    optimizer, (a,) = stepped()
    before = a.numpy()
    optimizer.apply([zero], [a])
    return bool((a.numpy() == before).all())


def late():
    optimizer, (a, b) = keras.optimizers.Adam(0.01), [keras.Variable([0.0]) for _ in range(2)]
    optimizer.build([a, b])
    for _ in range(2000):
        optimizer.apply([one], [a])
    optimizer.apply([one], [b])
    return -float(b.numpy()[0]) / 0.01


def with_recompile():
    """Whether a frozen layer stays, and whether its moments do, if the model is compiled with the same optimizer."""
    body, net = network()
    optimizer = keras.optimizers.AdamW(0.01)
    net.compile(optimizer, "mse")
    net.fit(x, y, verbose=0)
    body.trainable = False
    net.compile(optimizer, "mse")
    before = [body.get_weights()[0], *(m.numpy() for m in optimizer._momentums)]
    net.fit(x, y, verbose=0)
    after = [body.get_weights()[0], *(m.numpy() for m in optimizer._momentums)]
    return [bool((b == a).all()) for b, a in zip(before[:2], after[:2])]


def without_recompile():
    body, net = network()
    net.compile(keras.optimizers.AdamW(0.01), "mse")
    net.fit(x, y, verbose=0)
    body.trainable = False
    before = body.get_weights()[0]
    net.fit(x, y, verbose=0)
    return bool((body.get_weights()[0] == before).all())


def statistics_stay():
    norm = keras.layers.BatchNormalization(trainable=False)
    norm(np.random.randn(8, 4) + 1, training=True)
    return not norm.moving_mean.numpy().any()


weights, moments = with_recompile()
print(f"skips a null gradient: {yes[null_stays()]}")
print(f"a frozen flag is enough: {yes[weights]}")
print(f"can freeze some rows of a weight: {yes[masked_stays()]}")
print(f"counts steps per parameter: {yes[late() < 1.01]}")
print(f"keeps moments over a freeze: {yes[moments]}")
print(f"can freeze and thaw between any two steps: {yes[without_recompile()]}")
print(f"holds the statistics of a frozen BatchNorm: {yes[statistics_stay()]}")

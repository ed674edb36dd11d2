"""A change of `trainable` after the first fit() has no effect until the model is compiled again."""

import os
import sys

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras
import numpy as np

rng = np.random.default_rng(0)
x, y = rng.standard_normal((64, 4), "float32"), rng.standard_normal((64, 1), "float32")


def moved(trainable_before, trainable_after):
    """How far the body goes in a fit() after the change."""
    keras.utils.set_random_seed(0)
    body = keras.layers.Dense(4, trainable=trainable_before)
    net = keras.Sequential([keras.Input((4,)), body, keras.layers.Dense(1)])
    net.compile("adam", "mse")
    net.fit(x, y, verbose=0)
    body.trainable = trainable_after
    before = body.get_weights()[0]
    net.fit(x, y, verbose=0)
    return float(abs(body.get_weights()[0] - before).max())


frozen, thawed = moved(True, False), moved(False, True)
print(
    f"Keras {keras.version()}, TensorFlow: a layer frozen after fit() moved by up to {frozen:.4f} in the next; "
    f"one thawed by {thawed:.4f}"
)
sys.exit(not (frozen > 0 and thawed == 0))

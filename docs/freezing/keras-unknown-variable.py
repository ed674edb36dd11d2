"""Compiled again with the same optimizer, as keeping its state asks for, a model with a thawed layer does not train."""

import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras
import numpy as np

body = keras.layers.Dense(4, trainable=False)
net = keras.Sequential([keras.Input((4,)), body, keras.layers.Dense(1)])
optimizer = keras.optimizers.Adam()
x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
net.compile(optimizer, "mse")
net.fit(x, y, verbose=0)
body.trainable = True
net.compile(optimizer, "mse")
try:
    net.fit(x, y, verbose=0)
    message = None
except ValueError as error:
    message = str(error).split(". ")[0].split(": <")[0]
print(f"Keras {keras.version()}, {keras.backend.backend()}: {message}")
sys.exit(message is None)

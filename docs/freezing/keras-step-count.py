"""Adam's bias correction counts the optimizer's steps: a variable that joins late starts too fast."""

import os
import sys

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras

a, b = keras.Variable([0.0]), keras.Variable([0.0])
optimizer = keras.optimizers.Adam(0.01)
optimizer.build([a, b])
one = keras.ops.ones((1,))
for _ in range(8000):
    optimizer.apply([one], [a])
optimizer.apply([one], [b])
times = -float(b.numpy()[0]) / 0.01
print(f"Keras {keras.version()}: after 8,000 steps of another variable, a first step is {times:.3f} × lr")
sys.exit(not times > 3.1)

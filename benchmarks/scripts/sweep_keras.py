"""A search over widths, rates and seeds in Keras: sweep_keras.py DATA HELD_OUT EPOCHS BATCH WIDTHS RATES SEEDS."""

import itertools
import json
import sys

import keras
import numpy as np

path, (held_out, epochs, batch), (widths, rates, seeds) = (
    sys.argv[1],
    map(int, sys.argv[2:5]),
    map(json.loads, sys.argv[5:]),
)
x, y = (np.load(path)[name] for name in ("inputs", "targets"))
accuracies = []
for units, rate, seed in itertools.product(widths, rates, range(seeds)):
    keras.utils.set_random_seed(seed)
    net = keras.Sequential([keras.layers.Dense(units, activation="relu"), keras.layers.Dense(10, activation="softmax")])
    net.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    net.fit(x[:-held_out], y[:-held_out], batch_size=batch, epochs=epochs, verbose=0)
    accuracies.append(net.evaluate(x[-held_out:], y[-held_out:], verbose=0)[1])
print(json.dumps({"accuracies": accuracies}))

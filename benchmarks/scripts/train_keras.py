"""A net with one hidden layer in Keras: train_keras.py DATA UNITS EPOCHS BATCH RATE."""

import json
import sys

import keras
import numpy as np

path, (units, epochs, batch), rate = sys.argv[1], map(int, sys.argv[2:5]), float(sys.argv[5])
data = np.load(path)
net = keras.Sequential([keras.layers.Dense(units, activation="relu"), keras.layers.Dense(10, activation="softmax")])
net.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
net.fit(data["inputs"], data["targets"], batch_size=batch, epochs=epochs, verbose=0)
_, accuracy = net.evaluate(data["test_inputs"], data["test_targets"], verbose=0)
print(json.dumps({"accuracies": [accuracy]}))

"""A net with one hidden layer in scikit-learn: train_sklearn.py DATA UNITS EPOCHS BATCH RATE."""

import json
import sys

import numpy as np
from sklearn.neural_network import MLPClassifier

path, (units, epochs, batch), rate = sys.argv[1], map(int, sys.argv[2:5]), float(sys.argv[5])
data = np.load(path)
net = MLPClassifier(
    [units], alpha=0, batch_size=batch, learning_rate_init=rate, max_iter=epochs, n_iter_no_change=epochs
)
net.fit(data["inputs"], data["targets"])
print(json.dumps({"accuracies": [net.score(data["test_inputs"], data["test_targets"])]}))

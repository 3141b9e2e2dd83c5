"""A search over widths, rates and seeds in scikit-learn: DATA HELD_OUT EPOCHS BATCH WIDTHS RATES SEEDS."""

import json
import sys

import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.neural_network import MLPClassifier

path, (held_out, epochs, batch), (widths, rates, seeds) = (
    sys.argv[1],
    map(int, sys.argv[2:5]),
    map(json.loads, sys.argv[5:]),
)
data = np.load(path)
fold = np.full(len(data["inputs"]), -1)
fold[-held_out:] = 0
grid = {"hidden_layer_sizes": [[w] for w in widths], "learning_rate_init": rates, "random_state": range(seeds)}
net = MLPClassifier(alpha=0, batch_size=batch, max_iter=epochs, n_iter_no_change=epochs)
search = GridSearchCV(net, grid, cv=PredefinedSplit(fold), n_jobs=-1, refit=False)
search.fit(data["inputs"], data["targets"])
print(json.dumps({"accuracies": list(search.cv_results_["mean_test_score"])}))

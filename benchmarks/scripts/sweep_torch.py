"""A search over widths, rates and seeds in PyTorch: sweep_torch.py DATA HELD_OUT EPOCHS BATCH WIDTHS RATES SEEDS."""

import itertools
import json
import sys

import numpy as np
import torch
from torch import nn

path, (held_out, epochs, batch), (widths, rates, seeds) = (
    sys.argv[1],
    map(int, sys.argv[2:5]),
    map(json.loads, sys.argv[5:]),
)
x, y = (torch.from_numpy(np.load(path)[name]) for name in ("inputs", "targets"))
x, validation_x, y, validation_y = x[:-held_out], x[-held_out:], y[:-held_out], y[-held_out:]
cost = nn.CrossEntropyLoss()
accuracies = []
for units, rate, seed in itertools.product(widths, rates, range(seeds)):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(x.shape[1], units), nn.ReLU(), nn.Linear(units, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            cost(net(x[rows]), y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        accuracies.append(float((net(validation_x).argmax(1) == validation_y).float().mean()))
print(json.dumps({"accuracies": accuracies}))

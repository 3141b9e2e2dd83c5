"""A net with one hidden layer in PyTorch: train_torch.py DATA UNITS EPOCHS BATCH RATE."""

import json
import sys

import numpy as np
import torch
from torch import nn

path, (units, epochs, batch), rate = sys.argv[1], map(int, sys.argv[2:5]), float(sys.argv[5])
x, y, test_x, test_y = (
    torch.from_numpy(np.load(path)[name]) for name in ("inputs", "targets", "test_inputs", "test_targets")
)
net = nn.Sequential(nn.Linear(x.shape[1], units), nn.ReLU(), nn.Linear(units, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=rate)
cost = nn.CrossEntropyLoss()
for _ in range(epochs):
    for rows in torch.randperm(len(x)).split(batch):
        optimizer.zero_grad()
        cost(net(x[rows]), y[rows]).backward()
        optimizer.step()
with torch.no_grad():
    accuracy = (net(test_x).argmax(1) == test_y).float().mean()
print(json.dumps({"accuracies": [float(accuracy)]}))

"""Greedy pretraining by restricted Boltzmann machines."""

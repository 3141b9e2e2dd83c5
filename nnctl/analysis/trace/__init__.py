"""Traces: one example's way forward and backward through a net, each number with the formula that it comes of."""

"""nnctl: a declarative spec becomes a trained neural network."""

__version__ = "0.1.0"

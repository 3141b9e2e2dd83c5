"""The base classes of components; `nnctl.components.base` has them all."""

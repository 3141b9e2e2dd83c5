"""The compiler's middle: graphs, their differentiation, the passes over them."""

"""Every data source, transform and augmentation of nnctl: importing this module registers them."""

from nnctl.data import augmentations, transforms
from nnctl.data.sources import arrays, digits, functions, generated, images, mnist, sequences, series, tables, text

__all__ = [
    "arrays",
    "augmentations",
    "digits",
    "functions",
    "generated",
    "images",
    "mnist",
    "sequences",
    "series",
    "tables",
    "text",
    "transforms",
]

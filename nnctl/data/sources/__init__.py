"""Every data source, transform and augmentation of nnctl: importing this module registers them."""

from nnctl.data import augmentations, transforms
from nnctl.data.sources import arrays, digits, generated, images, mnist, tables

__all__ = ["arrays", "augmentations", "digits", "generated", "images", "mnist", "tables", "transforms"]

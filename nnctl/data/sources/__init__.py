"""Every data source and transform of nnctl: importing this module registers them."""

from nnctl.data import transforms
from nnctl.data.sources import arrays, digits, generated, images, mnist, tables

__all__ = ["arrays", "digits", "generated", "images", "mnist", "tables", "transforms"]

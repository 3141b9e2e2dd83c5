"""Every augmentation and expansion of nnctl: importing this package registers them."""

from nnctl.data.augmentations import expansions, geometry, mixing, pixels

__all__ = ["expansions", "geometry", "mixing", "pixels"]

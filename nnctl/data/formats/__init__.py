"""File formats: arrays, images, tables."""

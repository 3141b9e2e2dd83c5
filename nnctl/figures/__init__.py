"""Figures: charts, heat maps and pictures as data, and what draws them."""

"""Visualization: what a trained net has learned and how it answers, as figures."""

"""Masks that readers drew: measured as those of models are, and drawn in a browser."""

"""NIfTI in and out: images in HU, masks, and the geometry of their headers."""

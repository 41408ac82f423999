"""Stroke lesion segmentation on non-contrast head CT by synchronous image-label diffusion."""

__version__ = "0.1.0"

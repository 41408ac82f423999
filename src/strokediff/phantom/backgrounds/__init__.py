"""Lesions in real heads: a physical field is added to a lesion-free scan, whose noise stays."""

from strokediff.phantom.backgrounds.cohort import write_backgrounds
from strokediff.phantom.backgrounds.head import Head, find_head
from strokediff.phantom.backgrounds.make import RealHead, put_lesions
from strokediff.phantom.backgrounds.source import Background, Backgrounds

__all__ = [
    "Background",
    "Backgrounds",
    "Head",
    "RealHead",
    "find_head",
    "put_lesions",
    "write_backgrounds",
]

"""Brain extraction from head CT: convex optimisation with shape propagation."""

from strokediff.ct.brain.bridge import Bridge
from strokediff.ct.brain.extract import BrainMask, extract_brain

__all__ = ["BrainMask", "Bridge", "extract_brain"]

"""Brain extraction from head CT: convex optimisation with shape propagation."""

from strokediff.data.brain.bridge import Bridge
from strokediff.data.brain.extract import BrainMask, extract_brain

__all__ = ["BrainMask", "Bridge", "extract_brain"]

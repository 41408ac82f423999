"""Brain extraction from head CT: convex optimisation with shape propagation."""

from strokediff.data.brain.extract import BrainMask, extract_brain

__all__ = ["BrainMask", "extract_brain"]

"""How well two readers agree, of whom neither is the truth: their masks and their volumes."""

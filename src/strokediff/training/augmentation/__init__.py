"""What training varies in a slice: parameters are drawn first, then applied, and can be recorded.

`view` is what is varied together, every other file a step with its own parameters, and `recipes`
which steps are drawn, how often and how far.
"""

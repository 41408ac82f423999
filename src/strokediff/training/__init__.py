"""Training: samples by number, the objective, the loop, checkpoints."""

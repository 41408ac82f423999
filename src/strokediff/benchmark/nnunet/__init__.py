"""nnU-Net itself, version 2: its own planning, training and prediction as rows of a benchmark."""

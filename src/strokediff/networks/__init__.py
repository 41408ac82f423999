"""The two-stream U-Net."""

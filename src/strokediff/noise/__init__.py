"""Noise models: isotropic (SDPM), Fourier as printed and calibrated, and low-rank (SADPM), the
scanner's own."""

"""Noise models measured beside a cohort's images."""

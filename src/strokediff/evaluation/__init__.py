"""How well masks agree with the truth: metrics per patient, their summary and tables."""

"""Reports on what a benchmark or a model has done: `python -m strokediff.benchmark.reports`."""

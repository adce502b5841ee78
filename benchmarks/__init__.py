"""Figures that the README shows; each module is run with `python -m benchmarks.<name>`."""

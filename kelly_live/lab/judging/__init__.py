"""Evaluation: judges, comparisons, ablations and published goals."""

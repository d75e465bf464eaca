"""Research: training, corpora, judges, comparisons and benchmarks."""

"""Benchmarks: ours beside the plain way and beside the limit, in one run, interleaved, medians and ratios."""

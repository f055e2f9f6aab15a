"""Benchmarks: one question a file, the size and the machine in the output, ratios against named baselines."""

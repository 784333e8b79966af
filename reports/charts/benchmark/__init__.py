"""Charts of how far the benchmarks themselves can be trusted."""

"""Official metrics of the benchmarks, as sums that can be added over batches and processes."""

"""Readers of the benchmarks' own file formats, plain or compressed; every error names the file and the line."""

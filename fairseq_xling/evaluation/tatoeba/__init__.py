"""Sentence retrieval on Tatoeba or any line-aligned files."""

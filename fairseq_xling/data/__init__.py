"""Reusable data pieces: the data-bin, masking, pairs, language sampling, batching, the mixture of objectives."""

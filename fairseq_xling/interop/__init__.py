"""Checkpoints of other programs: reading fairseq and ``transformers`` models, and converting between them."""

"""Restoration of masked tokens of held-out sentence pairs (``xling eval restoration``)."""

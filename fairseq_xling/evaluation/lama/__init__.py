"""Facts asked for in cloze sentences (LAMA and its relatives)."""

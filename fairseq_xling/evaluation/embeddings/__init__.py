"""``xling plot embeddings``: word embeddings of frequent aligned word pairs (WEAM, section 4 and Figure 2)."""

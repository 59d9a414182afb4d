"""The commands of ``xling eval``: their options. What they do is in ``fairseq_xling.evaluation``."""

"""The offline half of fairseq_xling: from raw text to what ``fairseq-preprocess`` reads.

Installed as ``fairseq_xling_preprocess``. It needs neither PyTorch nor fairseq, so its worker
processes are small and start fast.
"""

"""Parts that every task shares: options, batches, the checkpoint folder, the log of speed."""

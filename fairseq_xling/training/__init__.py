"""What every task shares: options, batches, the checkpoint folder, what the log says of speed."""

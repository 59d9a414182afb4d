"""``xling entities``: these tables, joined, to training data that is mapped into memory."""

"""Word alignment by a model's states against gold links."""

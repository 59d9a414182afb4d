"""``xling eval xnli``, ``mlqa`` and so on: a fine-tuned model on the test files of its benchmark."""

"""Evaluations of a trained model; each is a sub-command of ``xling eval``."""

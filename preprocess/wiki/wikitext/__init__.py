"""Wikitext to the text that a person reads, and its links: the rules of one wiki, without any file."""

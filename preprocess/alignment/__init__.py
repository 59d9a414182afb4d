"""``xling align``: words, aligners, symmetrisation and Pharaoh files."""

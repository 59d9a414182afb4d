"""``xling wiki``: dumps of Wikipedia to tables of articles, anchors and redirects."""

"""``xling report``: the results of many evaluations as the tables and pictures of the papers."""

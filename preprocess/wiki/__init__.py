"""Wikipedia and Wikidata dumps to columns, and from these to training data: the data stage of XLM-K and mPMR."""

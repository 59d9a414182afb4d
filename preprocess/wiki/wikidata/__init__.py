"""``xling wikidata``: dumps of Wikidata, and SQL dumps of MediaWiki, to tables of sitelinks, triples and labels."""

"""The columns of every Parquet table that the commands of this room write and read.

Languages are codes of Wikipedia ("en", "zh", "be-tarask"), entities and relations the ids of Wikidata ("Q64", "P31"),
titles as a reader sees them: normalised, with blanks. Offsets count the characters (code points) of ``articles.text``.
"""

from __future__ import annotations

import pyarrow as pa

ARTICLES = pa.schema(
    [("language", pa.string()), ("page_id", pa.int64()), ("title", pa.string()), ("text", pa.large_string())]
)
# link: the title as written, normalised; target: the same after redirects. text[start:end] == surface.
ANCHORS = pa.schema(
    [
        ("language", pa.string()),
        ("page_id", pa.int64()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("surface", pa.string()),
        ("link", pa.string()),
        ("target", pa.string()),
        ("fragment", pa.string()),
    ]
)
REDIRECTS = pa.schema([("language", pa.string()), ("title", pa.string()), ("target", pa.string())])
SITELINKS = pa.schema([("language", pa.string()), ("title", pa.string()), ("entity", pa.string())])
TRIPLES = pa.schema([("subject", pa.string()), ("relation", pa.string()), ("object", pa.string())])
LABELS = pa.schema([("entity", pa.string()), ("language", pa.string()), ("label", pa.string())])
PROPERTIES = pa.schema([("relation", pa.string()), ("language", pa.string()), ("label", pa.string())])
# an item that was merged into another
MERGED = pa.schema([("entity", pa.string()), ("target", pa.string())])

-- Pages, links and statements joined by entity, in SQL that DuckDB and Spark both run as it stands.
--
-- Given: places (language, page_id, title, place, blank; see places.py), anchors, sitelinks, triples, properties, merged
-- (schemas.py), wanted (language), parameters (one row: every_language, top_languages, valid_below).
-- Left aside for portability: hash(), lower(), upper(), regexp_replace(), LEFT ANTI JOIN.
-- A view under "-- stored" is written to Parquet and read from there, since several others need it.
-- Items and relations are numbers from here on (64 for Q64, 31 for P31), NULL for what is neither.

-- ---- merged items -----------------------------------------------------------------------------------------------

CREATE OR REPLACE TEMP VIEW merged_items AS
SELECT entity, MIN(target) AS target
FROM (
    SELECT
        CASE WHEN entity LIKE 'Q%' THEN TRY_CAST(SUBSTR(entity, 2) AS BIGINT) END AS entity,
        CASE WHEN target LIKE 'Q%' THEN TRY_CAST(SUBSTR(target, 2) AS BIGINT) END AS target
    FROM merged
) AS typed
WHERE entity IS NOT NULL AND target IS NOT NULL
GROUP BY entity;

-- Where a chain of merges ends; NULL if it never does (a loop, or more than 32 links).
-- stored
CREATE OR REPLACE TEMP VIEW merges AS
WITH RECURSIVE chain (entity, target, num_links) AS (
    SELECT entity, target, 1 FROM merged_items
    UNION ALL
    SELECT chain.entity, following.target, chain.num_links + 1
    FROM chain
    JOIN merged_items AS following ON chain.target = following.entity
    WHERE chain.num_links < 32
)
SELECT merged_items.entity, final.target
FROM merged_items
LEFT JOIN (
    SELECT chain.entity, chain.target
    FROM chain
    WHERE NOT EXISTS (SELECT 1 FROM merged_items AS following WHERE following.entity = chain.target)
) AS final ON merged_items.entity = final.entity;

-- ---- languages --------------------------------------------------------------------------------------------------

-- The largest by articles, of those wanted.
-- stored
CREATE OR REPLACE TEMP VIEW kept_languages AS
SELECT language
FROM (
    SELECT sizes.language, ROW_NUMBER() OVER (ORDER BY sizes.num_articles DESC, sizes.language) AS size_order
    FROM (SELECT language, COUNT(*) AS num_articles FROM places GROUP BY language) AS sizes
    CROSS JOIN parameters
    WHERE parameters.every_language
        OR EXISTS (SELECT 1 FROM wanted WHERE wanted.language = sizes.language)
) AS ordered
CROSS JOIN parameters
WHERE ordered.size_order <= parameters.top_languages;

-- ---- statements -------------------------------------------------------------------------------------------------

-- stored
CREATE OR REPLACE TEMP VIEW statements AS
SELECT
    CASE WHEN merged_subject.entity IS NULL THEN typed.subject ELSE merged_subject.target END AS subject,
    typed.relation,
    CASE WHEN merged_object.entity IS NULL THEN typed.object ELSE merged_object.target END AS object
FROM (
    SELECT
        CASE WHEN subject LIKE 'Q%' THEN TRY_CAST(SUBSTR(subject, 2) AS BIGINT) END AS subject,
        CASE WHEN relation LIKE 'P%' THEN TRY_CAST(SUBSTR(relation, 2) AS BIGINT) END AS relation,
        CASE WHEN object LIKE 'Q%' THEN TRY_CAST(SUBSTR(object, 2) AS BIGINT) END AS object
    FROM triples
) AS typed
LEFT JOIN merges AS merged_subject ON typed.subject = merged_subject.entity
LEFT JOIN merges AS merged_object ON typed.object = merged_object.entity;

-- Instances (P31) of "Wikimedia disambiguation page".
-- stored
CREATE OR REPLACE TEMP VIEW disambiguations AS
SELECT DISTINCT subject AS entity
FROM statements
WHERE relation = 31 AND object = 4167410 AND subject IS NOT NULL;

-- ---- pages ------------------------------------------------------------------------------------------------------

CREATE OR REPLACE TEMP VIEW resolved_sitelinks AS
SELECT
    typed.language,
    typed.title,
    CASE WHEN merges.entity IS NULL THEN typed.entity ELSE merges.target END AS entity
FROM (
    SELECT
        sitelinks.language,
        sitelinks.title,
        CASE WHEN entity LIKE 'Q%' THEN TRY_CAST(SUBSTR(entity, 2) AS BIGINT) END AS entity
    FROM sitelinks
    JOIN kept_languages ON sitelinks.language = kept_languages.language
) AS typed
LEFT JOIN merges ON typed.entity = merges.entity;

-- One entity for each title, even if dumps of different days are mixed.
-- stored
CREATE OR REPLACE TEMP VIEW title_entities AS
SELECT language, title, MIN(entity) AS entity
FROM resolved_sitelinks
WHERE entity IS NOT NULL
GROUP BY language, title;

CREATE OR REPLACE TEMP VIEW place_reasons AS
SELECT
    places.language,
    places.page_id,
    places.title,
    places.place,
    CASE
        WHEN kept_languages.language IS NULL THEN 'other language'
        WHEN places.blank THEN 'no text'
        WHEN ROW_NUMBER() OVER (PARTITION BY places.language, places.page_id, places.blank ORDER BY places.place) > 1
            THEN 'repeated page'
        ELSE 'kept'
    END AS reason
FROM places
LEFT JOIN kept_languages ON places.language = kept_languages.language;

-- stored
CREATE OR REPLACE TEMP VIEW linked_pages AS
SELECT
    place_reasons.language,
    place_reasons.page_id,
    place_reasons.place,
    title_entities.entity,
    disambiguations.entity IS NOT NULL AS disambiguation
FROM place_reasons
LEFT JOIN title_entities
    ON place_reasons.language = title_entities.language AND place_reasons.title = title_entities.title
LEFT JOIN disambiguations ON title_entities.entity = disambiguations.entity
WHERE place_reasons.reason = 'kept';

-- The page that describes an entity in a language.
CREATE OR REPLACE TEMP VIEW description_places AS
SELECT language, entity, MIN(place) AS place
FROM linked_pages
WHERE entity IS NOT NULL AND NOT disambiguation
GROUP BY language, entity;

-- Every page that is written; entity: which it describes; article: its row within its language and split.
-- stored
CREATE OR REPLACE TEMP VIEW pages AS
SELECT
    split.language,
    split.place,
    split.page_id,
    split.valid,
    split.entity,
    ROW_NUMBER() OVER (PARTITION BY split.language, split.valid ORDER BY split.place) - 1 AS article
FROM (
    SELECT
        linked_pages.language,
        linked_pages.place,
        linked_pages.page_id,
        description_places.entity,
        MD5(CONCAT(linked_pages.language, ':', CAST(linked_pages.page_id AS STRING))) < parameters.valid_below AS valid
    FROM linked_pages
    LEFT JOIN description_places ON linked_pages.place = description_places.place
    CROSS JOIN parameters
) AS split;

CREATE OR REPLACE TEMP VIEW descriptions AS
SELECT entity, language, valid, article
FROM pages
WHERE entity IS NOT NULL;

-- stored
CREATE OR REPLACE TEMP VIEW entities AS
SELECT DISTINCT entity
FROM descriptions;

-- ---- mentions ---------------------------------------------------------------------------------------------------

-- In two steps: all six joins at a time would need more memory.
-- The entity of a link: that of the title as written, before that of the redirect's target.
-- stored
CREATE OR REPLACE TEMP VIEW linked_anchors AS
SELECT
    anchors.language,
    anchors.page_id,
    anchors.start AS char_begin,
    anchors.end AS char_end,
    anchors.surface,
    COALESCE(of_link.entity, of_target.entity) AS entity
FROM anchors
LEFT JOIN title_entities AS of_link ON anchors.language = of_link.language AND anchors.link = of_link.title
LEFT JOIN title_entities AS of_target ON anchors.language = of_target.language AND anchors.target = of_target.title;

-- stored
CREATE OR REPLACE TEMP VIEW anchor_reasons AS
SELECT
    linked_anchors.language,
    pages.place,
    linked_anchors.char_begin,
    linked_anchors.char_end,
    linked_anchors.surface,
    linked_anchors.entity,
    CASE
        WHEN kept_languages.language IS NULL THEN 'other language'
        WHEN pages.place IS NULL THEN 'page left out'
        WHEN linked_anchors.entity IS NULL THEN 'no entity'
        WHEN disambiguations.entity IS NOT NULL THEN 'disambiguation'
        WHEN entities.entity IS NULL THEN 'no description'
        ELSE 'kept'
    END AS reason
FROM linked_anchors
LEFT JOIN kept_languages ON linked_anchors.language = kept_languages.language
LEFT JOIN pages ON linked_anchors.language = pages.language AND linked_anchors.page_id = pages.page_id
LEFT JOIN disambiguations ON linked_anchors.entity = disambiguations.entity
LEFT JOIN entities ON linked_anchors.entity = entities.entity;

CREATE OR REPLACE TEMP VIEW mentions AS
SELECT language, place, char_begin, char_end, surface, entity
FROM anchor_reasons
WHERE reason = 'kept';

-- ---- triples ----------------------------------------------------------------------------------------------------

CREATE OR REPLACE TEMP VIEW statement_reasons AS
SELECT
    statements.subject,
    statements.relation,
    statements.object,
    CASE
        WHEN statements.subject IS NULL OR statements.relation IS NULL OR statements.object IS NULL
            THEN 'no item, or merged in a loop'
        WHEN subjects.entity IS NULL AND objects.entity IS NULL THEN 'neither end described'
        WHEN subjects.entity IS NULL THEN 'subject not described'
        WHEN objects.entity IS NULL THEN 'object not described'
        ELSE 'kept'
    END AS reason
FROM statements
LEFT JOIN entities AS subjects ON statements.subject = subjects.entity
LEFT JOIN entities AS objects ON statements.object = objects.entity;

-- stored
CREATE OR REPLACE TEMP VIEW described_triples AS
SELECT
    facts.subject,
    facts.relation,
    facts.object,
    MD5(CONCAT(CAST(facts.subject AS STRING), ' ', CAST(facts.relation AS STRING), ' ', CAST(facts.object AS STRING)))
        < parameters.valid_below AS valid
FROM (SELECT DISTINCT subject, relation, object FROM statement_reasons WHERE reason = 'kept') AS facts
CROSS JOIN parameters;

-- Labels in English, else in whichever language there is.
CREATE OR REPLACE TEMP VIEW relations AS
SELECT used.relation, COALESCE(labels.label, '') AS label
FROM (SELECT DISTINCT relation FROM described_triples) AS used
LEFT JOIN (
    SELECT
        CASE WHEN relation LIKE 'P%' THEN TRY_CAST(SUBSTR(relation, 2) AS BIGINT) END AS relation,
        COALESCE(MIN(CASE WHEN language = 'en' THEN label END), MIN(label)) AS label
    FROM properties
    GROUP BY 1
) AS labels ON used.relation = labels.relation;

-- ---- what was left out ------------------------------------------------------------------------------------------

CREATE OR REPLACE TEMP VIEW counts AS
SELECT 'articles' AS kind, language, reason, COUNT(*) AS number FROM place_reasons GROUP BY language, reason
UNION ALL
SELECT 'sitelinks', language, CASE WHEN entity IS NULL THEN 'no item, or merged in a loop' ELSE 'kept' END, COUNT(*)
FROM resolved_sitelinks GROUP BY 2, 3
UNION ALL
SELECT 'titles', language, 'kept', COUNT(*) FROM title_entities GROUP BY language
UNION ALL
SELECT
    'descriptions',
    linked_pages.language,
    CASE
        WHEN linked_pages.entity IS NULL THEN 'no entity'
        WHEN linked_pages.disambiguation THEN 'disambiguation'
        WHEN pages.entity IS NULL THEN 'second page of an entity'
        ELSE 'kept'
    END,
    COUNT(*)
FROM linked_pages
JOIN pages ON linked_pages.place = pages.place
GROUP BY 2, 3
UNION ALL
SELECT 'anchors', language, reason, COUNT(*) FROM anchor_reasons GROUP BY language, reason
UNION ALL
SELECT 'statements', '', reason, COUNT(*) FROM statement_reasons GROUP BY reason
UNION ALL
SELECT 'triples', '', CASE WHEN valid THEN 'valid' ELSE 'train' END, COUNT(*) FROM described_triples GROUP BY 3;

-- How many entities are described in so many languages.
CREATE OR REPLACE TEMP VIEW language_counts AS
SELECT num_languages, COUNT(*) AS num_entities
FROM (SELECT entity, COUNT(*) AS num_languages FROM descriptions GROUP BY entity) AS sizes
GROUP BY num_languages;

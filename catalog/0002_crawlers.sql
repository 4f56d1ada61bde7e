-- What crawlers need: their definitions, their history, what they remember of objects, and what was counted of
-- columns. And indexes by which versions of tables that are no longer kept are found and removed.

-- --- Versions that are no longer kept --------------------------------------------------------------------------

-- Rows of partitions that have ended, by the version that ended them: those that no kept version shows are found
-- without looking at any other. The descriptor comes along, to see what else may go.
CREATE INDEX partitions_ended ON partitions (table_id, version_to, descriptor_id) WHERE version_to IS NOT NULL;

-- Whether any partition still refers to a descriptor.
CREATE INDEX partitions_by_descriptor ON partitions (table_id, descriptor_id);

-- A number by which a descriptor's definition is found (64-bit FNV-1a of its bytes); two definitions may share one.
-- NULL: written before there was this column; the next change of the table fills it in.
ALTER TABLE descriptors ADD COLUMN digest BIGINT;

CREATE INDEX descriptors_by_digest ON descriptors (table_id, digest);

-- --- Classifiers and crawlers ----------------------------------------------------------------------------------

CREATE TABLE classifiers (
    name        key_text NOT NULL PRIMARY KEY,  -- case counts
    definition  TEXT     NOT NULL               -- JSON, Glue's Classifier; its Version counts the changes
);

CREATE TABLE crawlers (
    name        key_text NOT NULL PRIMARY KEY,  -- case counts
    definition  TEXT     NOT NULL               -- JSON, Glue's Crawler; its Version counts the changes
);

-- Which classifiers a crawler names: one that is named cannot be deleted.
CREATE TABLE crawler_classifiers (
    crawler_name    key_text NOT NULL REFERENCES crawlers (name),
    classifier_name key_text NOT NULL REFERENCES classifiers (name),
    PRIMARY KEY (crawler_name, classifier_name)
);

CREATE INDEX crawler_classifiers_by_classifier ON crawler_classifiers (classifier_name);

-- --- The history of crawls -------------------------------------------------------------------------------------

INSERT INTO counters (name, value) VALUES ('crawl', 0);

-- The newest 1,000 crawls; each that starts removes the one that is too old.
CREATE TABLE crawls (
    crawl_id        BIGINT   NOT NULL PRIMARY KEY,  -- later crawls have higher numbers
    crawler_name    key_text,                       -- NULL: a crawl without a crawler. No reference: history stays
    database_name   key_text NOT NULL,              -- where its tables go; it may be gone by now
    targets         TEXT     NOT NULL,              -- JSON array of paths and URLs
    state           TEXT     NOT NULL,              -- RUNNING, SUCCEEDED, FAILED or CANCELLED
    start_time      key_text NOT NULL,
    end_time        TEXT,                           -- NULL: it is running, or its process died
    error_message   TEXT,
    summary         TEXT     NOT NULL               -- JSON: what it saw, changed and skipped
);

CREATE INDEX crawls_by_crawler ON crawls (crawler_name, crawl_id);

-- Those that never ended: when their crawler starts again, the old ones are marked as failed.
CREATE INDEX crawls_running ON crawls (start_time) WHERE state = 'RUNNING';

-- --- What crawls remember of objects ---------------------------------------------------------------------------

-- A cache, so that unchanged objects are not opened again. It may be emptied at any time: the next crawl is slower,
-- and finds the same.
CREATE TABLE crawl_memory (
    scope       key_text NOT NULL,              -- whose memory it is
    item        key_text NOT NULL,              -- the object
    value       BYTEA    NOT NULL,              -- what is remembered of it, as the crawler writes it
    PRIMARY KEY (scope, item)
);

-- --- Statistics ------------------------------------------------------------------------------------------------

-- What was counted of a table's rows and columns; it goes with the table.
CREATE TABLE table_statistics (
    table_id    BIGINT NOT NULL PRIMARY KEY REFERENCES tables (table_id),
    definition  TEXT   NOT NULL                 -- JSON: rows, bytes, when, and Glue's ColumnStatistics
);

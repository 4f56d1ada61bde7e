-- Databases, tables, their versions, and their partitions.
--
-- Nothing that was current is overwritten: a change of a table adds a row to table_versions, and a partition that
-- goes or changes gets a version_to. So every version of a table can be read, compared and restored, with the
-- partitions it had.

-- Counters that number things within a transaction.
CREATE TABLE counters (
    name        key_text NOT NULL PRIMARY KEY,
    value       BIGINT   NOT NULL
);

INSERT INTO counters (name, value) VALUES ('table', 0);

CREATE TABLE databases (
    name        key_text NOT NULL PRIMARY KEY,
    definition  TEXT     NOT NULL,              -- JSON, Glue's Database
    dropped_at  TEXT,                           -- NULL: it exists
    dropped_by  TEXT
);

CREATE TABLE tables (
    table_id        BIGINT   NOT NULL PRIMARY KEY,
    database_name   key_text NOT NULL REFERENCES databases (name),
    name            key_text NOT NULL,
    last_version    BIGINT   NOT NULL,          -- goes on counting when a dropped table is made again
    dropped_at      TEXT,                       -- NULL: it exists, and last_version is its current version
    dropped_by      TEXT,
    UNIQUE (database_name, name)
);

CREATE TABLE table_versions (
    table_id            BIGINT NOT NULL REFERENCES tables (table_id),
    version             BIGINT NOT NULL,
    created_at          TEXT   NOT NULL,
    created_by          TEXT   NOT NULL,        -- 'crawl', 'run NAME', ...
    definition          TEXT   NOT NULL,        -- JSON, Glue's Table
    partitions_added    BIGINT NOT NULL,
    partitions_removed  BIGINT NOT NULL,
    partitions_changed  BIGINT NOT NULL,
    PRIMARY KEY (table_id, version)
);

-- Partitions of a table mostly share one storage descriptor but for the location and the parameters.
-- Each different one is kept once.
CREATE TABLE descriptors (
    table_id        BIGINT NOT NULL REFERENCES tables (table_id),
    descriptor_id   BIGINT NOT NULL,
    definition      TEXT   NOT NULL,            -- JSON, Glue's StorageDescriptor without Location and Parameters
    PRIMARY KEY (table_id, descriptor_id)
);

CREATE TABLE partitions (
    table_id            BIGINT   NOT NULL REFERENCES tables (table_id),
    partition_values    key_text NOT NULL,      -- JSON array of the values as text, in the order of the keys
    version_from        BIGINT   NOT NULL,      -- the first version of the table that has this row
    version_to          BIGINT,                 -- the first version that no longer has it; NULL: current
    created_at          TEXT     NOT NULL,
    accessed_at         TEXT,
    descriptor_id       BIGINT,
    definition          TEXT     NOT NULL,      -- JSON, what is this partition's own (location, parameters)
    -- The first eight values, written so that text order is the order of the key's type ("Sort keys" in
    -- crates/catalog/src/predicate/key.rs); NULL: the value is NULL, or is none of its key's type.
    k0                  key_text,
    k1                  key_text,
    k2                  key_text,
    k3                  key_text,
    k4                  key_text,
    k5                  key_text,
    k6                  key_text,
    k7                  key_text,
    k_more              TEXT,                   -- JSON array of the ninth and following
    PRIMARY KEY (table_id, partition_values, version_from)
);

-- A partition is current once.
CREATE UNIQUE INDEX partitions_current ON partitions (table_id, partition_values) WHERE version_to IS NULL;

-- What predicates on partition keys are answered from.
CREATE INDEX partitions_by_k0 ON partitions (table_id, k0, k1, k2, k3);
CREATE INDEX partitions_by_k1 ON partitions (table_id, k1);
CREATE INDEX partitions_by_k2 ON partitions (table_id, k2);
CREATE INDEX partitions_by_k3 ON partitions (table_id, k3);

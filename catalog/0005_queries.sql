-- What SQL needs: the history of queries, and workgroups, whose limits they keep within.

-- --- Workgroups ------------------------------------------------------------------------------------------------

CREATE TABLE workgroups (
    name        key_text NOT NULL PRIMARY KEY,  -- case counts
    definition  TEXT     NOT NULL               -- JSON: Athena's WorkGroup, and limits of ours; its Version counts
);

-- --- Queries ---------------------------------------------------------------------------------------------------

INSERT INTO counters (name, value) VALUES ('query', 0);

-- The newest 10,000 queries; each that is recorded removes those that are too old and have no kept result.
CREATE TABLE queries (
    query_id        key_text NOT NULL PRIMARY KEY,  -- a UUID
    query_number    BIGINT   NOT NULL UNIQUE,       -- later queries have higher numbers
    workgroup       key_text NOT NULL,              -- no reference: history stays
    state           TEXT     NOT NULL,              -- QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED
    heartbeat_at    TEXT     NOT NULL,              -- when its process last said that it lives
    cancel          BIGINT   NOT NULL,              -- 1: somebody asked for it to be stopped
    process         TEXT     NOT NULL,              -- JSON: its host, its process id, and what tells them from others
    definition      TEXT     NOT NULL,              -- JSON: Athena's QueryExecution, and what we count beside it
    completed_at    key_text,                       -- NULL: it has not ended, or its process died
    reuse_key       key_text,                       -- a digest of text, database, workgroup and inputs. NULL: not to be used again
    result_bytes    BIGINT                          -- bytes of its own kept result. NULL: it has none
);

CREATE INDEX queries_by_workgroup ON queries (workgroup, query_number);

-- Those that never ended: who waits for a place in a workgroup counts them.
CREATE INDEX queries_open ON queries (workgroup, query_number) WHERE state IN ('QUEUED', 'RUNNING');

-- A query whose result can be used again.
CREATE INDEX queries_to_reuse ON queries (reuse_key, query_number) WHERE reuse_key IS NOT NULL;

-- Results that are kept: the oldest go when there are too many.
CREATE INDEX queries_with_result ON queries (query_number, query_id, result_bytes) WHERE result_bytes IS NOT NULL;

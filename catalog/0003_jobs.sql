-- What jobs need: the history of their runs, and bookmarks, which say what of a source was processed already. The
-- protocol between bookmarks and files is told in crates/catalog/src/store/job_store.rs.

-- --- Runs ------------------------------------------------------------------------------------------------------

INSERT INTO counters (name, value) VALUES ('run', 0), ('bookmark', 0), ('bookmark commit', 0);

-- The newest 1,000 runs of each job; each that starts removes those that are too old.
CREATE TABLE runs (
    run_id          key_text NOT NULL PRIMARY KEY,  -- 'jr_' and 32 hexadecimal digits
    run_number      BIGINT   NOT NULL UNIQUE,       -- later runs have higher numbers
    job_name        key_text NOT NULL,              -- case counts
    attempt         BIGINT   NOT NULL,
    previous_run_id key_text,                       -- the run that this one is another attempt of. No reference
    state           TEXT     NOT NULL,              -- STARTING, RUNNING, SUCCEEDED, FAILED, STOPPED or TIMEOUT
    started_at      TEXT     NOT NULL,
    completed_at    TEXT,                           -- NULL: it is running, or its process died
    heartbeat_at    TEXT     NOT NULL,              -- when its process last said that it lives
    process         TEXT     NOT NULL,              -- JSON: its host, its process id, and what tells them from others
    arguments       TEXT     NOT NULL,              -- JSON object, text to text
    script          TEXT,                           -- JSON: the script's path and digest
    error_message   TEXT,
    summary         TEXT     NOT NULL,              -- JSON: what was read, dropped and written
    bookmarks_before TEXT    NOT NULL,              -- JSON: the bookmarks that it found
    bookmarks_after TEXT     NOT NULL               -- JSON: the bookmarks that it left
);

CREATE INDEX runs_by_job ON runs (job_name, run_number);

-- --- Bookmarks -------------------------------------------------------------------------------------------------

CREATE TABLE bookmarks (
    bookmark_id BIGINT   NOT NULL PRIMARY KEY,
    job_name    key_text NOT NULL,              -- case counts
    source_name key_text NOT NULL,              -- case counts; Glue's transformation_ctx
    version     BIGINT   NOT NULL,              -- goes up with each change, also when it is reset or rewound
    position    BIGINT   NOT NULL,              -- the version of the commit that it stands at; 0: nothing was seen
    kept_from   BIGINT   NOT NULL,              -- it cannot be rewound to before this version; 0: it can
    paused      BIGINT   NOT NULL,              -- 1: it filters, and does not advance
    UNIQUE (job_name, source_name)
);

-- The newest 1,000 commits of each bookmark, so that it can be rewound to them.
CREATE TABLE bookmark_commits (
    bookmark_id     BIGINT   NOT NULL REFERENCES bookmarks (bookmark_id),
    version         BIGINT   NOT NULL,          -- the version that the commit gave to its bookmark
    sequence        BIGINT   NOT NULL,          -- orders the commits of all bookmarks
    run_id          key_text,                   -- NULL: set by hand. No reference: it outlives the run's history
    run_attempt     BIGINT   NOT NULL,
    committed_at    TEXT     NOT NULL,
    added           BIGINT   NOT NULL,          -- objects that were new, or are no longer as they were
    objects         BIGINT   NOT NULL,          -- objects that are seen now
    oldest          BIGINT,                     -- modification times in microseconds since 1970: the least and
    newest          BIGINT,                     -- greatest of all that was committed so far
    up_to           BIGINT,                     -- objects that were modified at this time or before count as seen
    PRIMARY KEY (bookmark_id, version)
);

CREATE INDEX bookmark_commits_by_run ON bookmark_commits (run_id);

-- What was seen of a source. Commits only add rows: an object that was seen again because it had changed has one row
-- for each time, so that a bookmark can be rewound.
CREATE TABLE bookmark_objects (
    bookmark_id     BIGINT   NOT NULL REFERENCES bookmarks (bookmark_id),
    path            key_text NOT NULL,
    version_from    BIGINT   NOT NULL,          -- the commit that it was seen by
    version_to      BIGINT,                     -- the commit that saw it changed; NULL: it is as it was
    size            BIGINT,                     -- bytes. NULL, here and below: of no account
    modified        BIGINT,                     -- microseconds since 1970
    etag            TEXT,
    PRIMARY KEY (bookmark_id, path, version_from)
);

-- By which each object of a source is looked up.
CREATE UNIQUE INDEX bookmark_objects_current ON bookmark_objects (bookmark_id, path) WHERE version_to IS NULL;

-- What a commit saw: what a run read, and what is unseen again when the bookmark is rewound.
CREATE INDEX bookmark_objects_by_commit ON bookmark_objects (bookmark_id, version_from, path);

CREATE INDEX bookmark_objects_ended ON bookmark_objects (bookmark_id, version_to) WHERE version_to IS NOT NULL;

-- --- Commits that are under way --------------------------------------------------------------------------------

-- Written before a run publishes its files, and removed with the change that its bookmarks advance by: one that stays
-- is a run's that died in between, and the job's next run settles it.
CREATE TABLE pending_commits (
    run_id      key_text NOT NULL PRIMARY KEY,
    run_attempt BIGINT   NOT NULL,
    job_name    key_text NOT NULL,
    begun_at    TEXT     NOT NULL,
    sinks       TEXT     NOT NULL,              -- JSON: where each sink's commit is found
    context     TEXT     NOT NULL               -- JSON: what the run left for whoever settles it
);

CREATE INDEX pending_commits_by_job ON pending_commits (job_name);

CREATE TABLE pending_bookmarks (
    bookmark_id BIGINT   NOT NULL PRIMARY KEY REFERENCES bookmarks (bookmark_id),   -- one run at a time
    run_id      key_text NOT NULL REFERENCES pending_commits (run_id),
    objects     BIGINT   NOT NULL
);

CREATE INDEX pending_bookmarks_by_run ON pending_bookmarks (run_id);

CREATE TABLE pending_objects (
    bookmark_id BIGINT   NOT NULL REFERENCES pending_bookmarks (bookmark_id),
    path        key_text NOT NULL,
    size        BIGINT,
    modified    BIGINT,
    etag        TEXT,
    PRIMARY KEY (bookmark_id, path)
);

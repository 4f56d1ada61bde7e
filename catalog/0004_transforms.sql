-- What record matching has learned, to be applied again.

CREATE TABLE transforms (
    name        key_text NOT NULL PRIMARY KEY,  -- case counts
    definition  TEXT     NOT NULL               -- JSON: Glue's MLTransform in part, and the model
);

-- The simulator's whole store. Written in one file, so that a state folder can be opened with `sqlite3` and read.

CREATE TABLE IF NOT EXISTS object (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    kind       TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    intent     TEXT,
    source     TEXT,
    type       TEXT,
    payment_id TEXT,
    data       BLOB    NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS object_by_time ON object (kind, created);
CREATE INDEX IF NOT EXISTS object_by_intent ON object (intent) WHERE intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_by_source ON object (source) WHERE source IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_by_payment ON object (payment_id) WHERE payment_id IS NOT NULL;

-- One row for each confirm that was executed and charged, or tried to.
CREATE TABLE IF NOT EXISTS confirmation (
    seq     INTEGER PRIMARY KEY,
    intent  TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    outcome TEXT    NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS confirmation_by_intent ON confirmation (intent);

CREATE TABLE IF NOT EXISTS idempotency (
    key     TEXT    PRIMARY KEY,
    digest  BLOB    NOT NULL,
    status  INTEGER NOT NULL,
    body    BLOB    NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS idempotency_by_age ON idempotency (created);

CREATE TABLE IF NOT EXISTS delivery (
    seq      INTEGER PRIMARY KEY,
    event_id TEXT    NOT NULL,
    first_at REAL    NOT NULL,
    due_at   REAL    NOT NULL,
    attempts INTEGER NOT NULL,
    swapped  INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS delivery_by_due ON delivery (due_at);

CREATE TABLE IF NOT EXISTS timer (
    seq    INTEGER PRIMARY KEY,
    due_at REAL    NOT NULL,
    act    TEXT    NOT NULL,
    about  BLOB    NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS fault (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS setting (id INTEGER PRIMARY KEY CHECK (id = 1), data BLOB NOT NULL) STRICT;

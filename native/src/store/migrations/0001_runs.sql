-- The first shape of the file. Lists of words are written with OR: for each `IN (…)` of more than two, SQLite builds a
-- temporary table in every statement that checks it, which costs more than the row itself.
--
-- Words are those of the protocol; times are milliseconds since 1970; values are JSON text.

CREATE TABLE workflows (
  definition_id INTEGER PRIMARY KEY,
  workflow_id   TEXT    NOT NULL,
  hash          TEXT    NOT NULL,
  definition    TEXT    NOT NULL,
  created_at_ms INTEGER NOT NULL,
  UNIQUE (workflow_id, hash)
) STRICT;

-- id: 42 bits milliseconds, 8 bits node, 13 bits sequence; shown to people as run_ + base 32 (native/src/ids.rs).
-- open: the engine still has something to do for this run. An ended run whose hook has not been called is open.
-- hook_queued: that hook waits for a slot; a process death does not interrupt it.
CREATE TABLE workflow_runs (
  id             INTEGER PRIMARY KEY,
  definition_id  INTEGER NOT NULL REFERENCES workflows (definition_id),
  workflow_id    TEXT    NOT NULL,
  status         TEXT    NOT NULL
                 CHECK (status = 'pending' OR status = 'running' OR status = 'waiting' OR status = 'completed' OR status = 'failed' OR status = 'cancelled' OR status = 'stuck'),
  open           INTEGER NOT NULL CHECK (open IN (0, 1)),
  hook_queued    INTEGER NOT NULL DEFAULT 0 CHECK (hook_queued IN (0, 1)),
  payload        TEXT,
  trigger        TEXT,
  output         TEXT,
  error          TEXT,
  created_at_ms  INTEGER NOT NULL,
  finished_at_ms INTEGER,
  CHECK ((finished_at_ms IS NOT NULL) = (status = 'completed' OR status = 'failed' OR status = 'cancelled')),
  CHECK (open = 1 OR status = 'completed' OR status = 'failed' OR status = 'cancelled' OR status = 'stuck')
) STRICT;

-- What recovery reads; what people list.
CREATE INDEX open_runs ON workflow_runs (workflow_id) WHERE open = 1;
CREATE INDEX runs_by_workflow ON workflow_runs (workflow_id);
CREATE INDEX runs_gone_wrong ON workflow_runs (status) WHERE status = 'failed' OR status = 'cancelled' OR status = 'stuck';

-- One row per ended attempt, never changed. handler: which of the user's functions was called.
CREATE TABLE steps (
  run_id         INTEGER NOT NULL,
  sequence       INTEGER NOT NULL,
  name           TEXT    NOT NULL,
  handler        TEXT    NOT NULL CHECK (handler = 'body' OR handler = 'on_error' OR handler = 'on_success' OR handler = 'on_failure'),
  attempt        INTEGER NOT NULL,
  status         TEXT    NOT NULL CHECK (status = 'completed' OR status = 'failed' OR status = 'timed_out' OR status = 'interrupted' OR status = 'cancelled'),
  output         TEXT,
  error          TEXT,
  retry_at_ms    INTEGER,
  started_at_ms  INTEGER,
  finished_at_ms INTEGER NOT NULL,
  PRIMARY KEY (run_id, sequence),
  CHECK ((error IS NULL) = (status = 'completed'))
) STRICT, WITHOUT ROWID;

CREATE TABLE timers (
  run_id    INTEGER NOT NULL,
  kind      TEXT    NOT NULL CHECK (kind IN ('wake', 'deadline')),
  due_at_ms INTEGER NOT NULL,
  PRIMARY KEY (run_id, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX timers_by_due ON timers (due_at_ms);

CREATE TABLE idempotency (
  workflow_id TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  fingerprint TEXT    NOT NULL,
  run_id      INTEGER NOT NULL,
  PRIMARY KEY (workflow_id, key)
) STRICT, WITHOUT ROWID;

-- The flow language: runs with several paths, waits, approvals, child runs, state, limits.

ALTER TABLE workflow_runs ADD COLUMN parent_run_id INTEGER;
ALTER TABLE workflow_runs ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workflow_runs ADD COLUMN replay_of INTEGER;
ALTER TABLE workflow_runs ADD COLUMN start_at_ms INTEGER;
ALTER TABLE workflow_runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workflow_runs ADD COLUMN concurrency_key TEXT;
ALTER TABLE workflow_runs ADD COLUMN rate_key TEXT;
ALTER TABLE workflow_runs ADD COLUMN idempotency_key TEXT;
ALTER TABLE workflow_runs ADD COLUMN mocks TEXT;
UPDATE workflow_runs SET idempotency_key = idempotency.key FROM idempotency WHERE idempotency.run_id = workflow_runs.id;

-- What recovery reads is what does not wait: a hundred thousand sleepers are not looked at.
DROP INDEX open_runs;
CREATE INDEX ready_runs ON workflow_runs (workflow_id) WHERE open = 1 AND status <> 'waiting';
CREATE INDEX waiting_runs ON workflow_runs (workflow_id) WHERE status = 'waiting';

-- scope: the iterations of the loops around the step, outermost first, like 3.17; empty outside loops.
-- decision: the number the engine went by: a branch, a count of items, a time, a child run.
CREATE TABLE steps_2 (
  run_id         INTEGER NOT NULL,
  sequence       INTEGER NOT NULL,
  name           TEXT    NOT NULL,
  scope          TEXT    NOT NULL,
  handler        TEXT    NOT NULL
                 CHECK (handler = 'body' OR handler = 'on_error' OR handler = 'condition' OR handler = 'items' OR handler = 'duration' OR handler = 'input' OR handler = 'filter' OR handler = 'on_pause' OR handler = 'on_timeout' OR handler = 'start' OR handler = 'retry' OR handler = 'on_success' OR handler = 'on_failure'),
  attempt        INTEGER NOT NULL,
  status         TEXT    NOT NULL CHECK (status = 'completed' OR status = 'failed' OR status = 'timed_out' OR status = 'interrupted' OR status = 'cancelled'),
  output         TEXT,
  decision       INTEGER,
  error          TEXT,
  retry_at_ms    INTEGER,
  started_at_ms  INTEGER,
  finished_at_ms INTEGER NOT NULL,
  PRIMARY KEY (run_id, sequence),
  CHECK ((error IS NULL) = (status = 'completed'))
) STRICT, WITHOUT ROWID;
INSERT INTO steps_2 (run_id, sequence, name, scope, handler, attempt, status, output, error, retry_at_ms, started_at_ms, finished_at_ms)
  SELECT run_id, sequence, name, '', handler, attempt, status, output, error, retry_at_ms, started_at_ms, finished_at_ms FROM steps;
DROP TABLE steps;
ALTER TABLE steps_2 RENAME TO steps;

-- The earliest moment at which a run has something to do by itself. Timers that a changed workflow had left to runs
-- that have ended are dropped: the timer of an ended run is the one that deletes it.
CREATE TABLE timers_2 (
  run_id    INTEGER PRIMARY KEY,
  due_at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO timers_2 SELECT run_id, min(due_at_ms) FROM timers
  WHERE run_id IN (SELECT id FROM workflow_runs WHERE status = 'pending' OR status = 'running' OR status = 'waiting')
  GROUP BY run_id;
DROP TABLE timers;
ALTER TABLE timers_2 RENAME TO timers;
CREATE INDEX timers_by_due ON timers (due_at_ms);

-- The greatest id of a run that was removed: ids are never used again.
CREATE TABLE last_removed (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  run_id INTEGER NOT NULL
) STRICT;

-- Events that a wait has not seen yet. Their numbers are never used again.
CREATE TABLE events (
  event_id        INTEGER PRIMARY KEY AUTOINCREMENT,
  name            TEXT    NOT NULL,
  payload         TEXT,
  published_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_name ON events (name, event_id);

-- Who waits for events; after_event_id: the last one that was there before, or was not the right one.
CREATE TABLE waits (
  event          TEXT    NOT NULL,
  run_id         INTEGER NOT NULL,
  name           TEXT    NOT NULL,
  scope          TEXT    NOT NULL,
  after_event_id INTEGER NOT NULL,
  PRIMARY KEY (event, run_id, name, scope)
) STRICT, WITHOUT ROWID;

-- token_hash: SHA-256 of the token, which is not stored.
CREATE TABLE approvals (
  run_id        INTEGER NOT NULL,
  name          TEXT    NOT NULL,
  scope         TEXT    NOT NULL,
  token_hash    TEXT    NOT NULL UNIQUE,
  status        TEXT    NOT NULL CHECK (status = 'open' OR status = 'approved' OR status = 'rejected' OR status = 'expired' OR status = 'cancelled'),
  opened_at_ms  INTEGER NOT NULL,
  expires_at_ms INTEGER,
  PRIMARY KEY (run_id, name, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX open_approvals ON approvals (run_id) WHERE status = 'open';

-- space: a workflow's id (ctx.state), empty (the state all share), or @workflow/step (cached outputs).
CREATE TABLE state (
  space         TEXT NOT NULL,
  key           TEXT NOT NULL,
  value         TEXT NOT NULL,
  expires_at_ms INTEGER,
  PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX state_by_expiry ON state (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

CREATE TABLE circuits (
  name          TEXT PRIMARY KEY,
  failures      INTEGER NOT NULL,
  open_until_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE paused_workflows (
  workflow_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The latest starts under a rate limit, and those that are reserved.
CREATE TABLE rate_starts (
  start_id    INTEGER PRIMARY KEY,
  workflow_id TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  at_ms       INTEGER NOT NULL,
  has_begun   INTEGER NOT NULL CHECK (has_begun IN (0, 1))
) STRICT;
CREATE INDEX rate_starts_by_time ON rate_starts (workflow_id, key, at_ms);

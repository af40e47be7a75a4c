-- Schedules: when runs start by themselves, and which instants have had theirs.

-- schedule, instant_at_ms: which schedule of its workflow started the run, and for which instant.
ALTER TABLE workflow_runs ADD COLUMN schedule TEXT;
ALTER TABLE workflow_runs ADD COLUMN instant_at_ms INTEGER;
CREATE UNIQUE INDEX runs_of_instants ON workflow_runs (workflow_id, schedule, instant_at_ms) WHERE schedule IS NOT NULL;
CREATE INDEX open_scheduled_runs ON workflow_runs (workflow_id, schedule) WHERE schedule IS NOT NULL AND open = 1;

-- spec: what the workflow says of it. Every instant from since_at_ms up to next_at_ms is decided, and every one in
-- stretches ([[from, to], …]); queued: instants that start a run when the run before has ended; seen_at_ms: the clock
-- when it was last looked at; failures, error: of a poll.
CREATE TABLE schedules (
  schedule_id  INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_id  TEXT    NOT NULL,
  name         TEXT    NOT NULL,
  spec         TEXT    NOT NULL,
  anchor_at_ms INTEGER NOT NULL,
  since_at_ms  INTEGER NOT NULL,
  next_at_ms   INTEGER,
  stretches    TEXT    NOT NULL,
  queued       TEXT    NOT NULL,
  seen_at_ms   INTEGER NOT NULL,
  last_at_ms   INTEGER,
  last_run_id  INTEGER,
  failures     INTEGER NOT NULL,
  error        TEXT,
  UNIQUE (workflow_id, name)
) STRICT;

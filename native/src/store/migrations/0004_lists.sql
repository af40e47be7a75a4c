-- Lists of runs cost a page, whatever is filtered and however many runs are stored.
--
-- One index by workflow and status takes the place of three by workflow: of all runs, of those that are ready, and of
-- those that wait. The entry of a run moves with its status, where one was added to and removed from the index of what
-- is ready: as many writes as before (0.5 of 7 microseconds more per run, as many pages in the log). An index of what
-- has completed beside the old ones would write half as much again, one by status alone two entries more for each run.
-- So a list by status alone asks each workflow that has runs for its newest, and a list by workflow alone each status
-- (native/src/store/sqlite/read.rs).
CREATE INDEX runs_by_status ON workflow_runs (workflow_id, status);
DROP INDEX runs_by_workflow;
DROP INDEX ready_runs;
DROP INDEX waiting_runs;

-- Ended runs whose hook has not ended; of the runs that have gone wrong only the stuck ones are asked for by themselves.
CREATE INDEX hooks_owed ON workflow_runs (workflow_id)
  WHERE open = 1 AND (status = 'completed' OR status = 'failed' OR status = 'cancelled');
DROP INDEX runs_gone_wrong;
CREATE INDEX stuck_runs ON workflow_runs (workflow_id) WHERE status = 'stuck';

-- Runs that were created later than their ids say. An engine makes none before the year 2109, when the milliseconds of
-- ids are used up, so nothing is written here; where there is one, lists since a time begin with its id.
CREATE INDEX runs_later_than_ids ON workflow_runs (id) WHERE created_at_ms > id >> 21;

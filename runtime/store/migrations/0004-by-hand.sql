-- Version 4: rows that people and other programs wrote. What the runtime wrote itself is valid as it is; what came by hand is
-- checked against its topic's schema before it is published, and parked, out of the claim's way, where it does not fit.

ALTER TABLE {schema}.scheduled
  ADD COLUMN unchecked boolean NOT NULL DEFAULT false,
  ADD COLUMN version integer CHECK (version > 0);
COMMENT ON COLUMN {schema}.scheduled.unchecked IS 'Was the row inserted or edited by hand? Then key, value and headers are checked and completed before it is published.';
COMMENT ON COLUMN {schema}.scheduled.version IS 'Version of the topic''s schema by which the value was written; a process that knows only older ones leaves the row to newer ones. Null: any version.';

-- A table of its own, so that the index of the claim holds only what can be claimed, for older processes too.
CREATE TABLE {schema}.parked (
  LIKE {schema}.scheduled INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS,
  problem    text NOT NULL,
  parked_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (id)
);
CREATE INDEX parked_app ON {schema}.parked (app, parked_at);
CREATE INDEX parked_fence ON {schema}.parked (fence, turn) WHERE fence IS NOT NULL;
COMMENT ON TABLE {schema}.parked IS 'Messages that were written by hand and do not fit their topic. One whose value or due time is edited in the view schedule is tried again; deleting it cancels it.';
COMMENT ON COLUMN {schema}.parked.problem IS 'What is wrong with it, in words, at most 2000 characters.';
COMMENT ON COLUMN {schema}.parked.parked_at IS 'When it was found.';

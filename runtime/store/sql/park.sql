-- Moves claimed rows that do not fit their topic out of the claim's way, with what is wrong with each. Their keys stay taken.
WITH misfit AS (
  SELECT * FROM unnest($1::bigint[], $2::text[]) AS m(id, problem)
), gone AS (
  DELETE FROM {schema}.scheduled AS s USING misfit WHERE s.id = misfit.id
  RETURNING s.*, misfit.problem
)
INSERT INTO {schema}.parked (
  id, app, handler, message_id, delivery, kind, topic, key, value, header_names, header_values, reason, error, attempts, deferrals,
  born_at, created_at, due_at, fence, turn, unchecked, version, problem
)
SELECT
  id, app, handler, message_id, delivery, kind, topic, key, value, header_names, header_values, reason, error, attempts, deferrals,
  born_at, created_at, due_at, fence, turn, unchecked, version, problem
FROM gone

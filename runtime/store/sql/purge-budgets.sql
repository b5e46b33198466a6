-- Removes up to $2 budgets that nobody has asked for longer than $1 ms: names come and go, as tenants do. One that is wanted again begins anew.
WITH old AS (
  SELECT b.app, b.name FROM {schema}.budget AS b
  WHERE b.raised_at < now() - $1::float8 * interval '1 millisecond'
  LIMIT $2::bigint
  FOR UPDATE SKIP LOCKED
), uses AS (
  DELETE FROM {schema}.budget_use AS u USING old WHERE (u.app, u.name) = (old.app, old.name)
)
DELETE FROM {schema}.budget AS b USING old WHERE (b.app, b.name) = (old.app, old.name)

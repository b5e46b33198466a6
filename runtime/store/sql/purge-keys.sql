-- Removes up to $2 keys older than $1 ms whose row is gone, published or cancelled; a parked one may still come. Several processes may do this at once.
WITH old AS (
  SELECT k.app, k.handler, k.message_key, k.delivery
  FROM {schema}.schedule_key AS k
  WHERE k.created_at < now() - $1::float8 * interval '1 millisecond'
    AND NOT EXISTS (SELECT 1 FROM {schema}.scheduled AS s WHERE s.id = k.row_id)
    AND NOT EXISTS (SELECT 1 FROM {schema}.parked AS p WHERE p.id = k.row_id)
  ORDER BY k.created_at
  LIMIT $2::bigint
  FOR UPDATE OF k SKIP LOCKED
), gone AS (
  DELETE FROM {schema}.schedule_key AS k USING old
  WHERE (k.app, k.handler, k.message_key, k.delivery) = (old.app, old.handler, old.message_key, old.delivery)
  RETURNING 1
)
SELECT count(*)::integer AS purged FROM gone

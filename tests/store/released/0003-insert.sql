-- Writes rows that wait; a key that was ever written is skipped. One statement, so one transaction of its own.
-- Keys are written in one order by everybody: batches with the same keys in other orders would wait for each other.
-- It wakes the schedulers only where a row comes before all that its topic already waits for. A known row that is due
-- within a second does not count: it may be published, and the next due time read, before this statement commits.
-- NOTIFY takes a lock for the whole cluster at commit, so a storm of retries must not pay it once per insert.
WITH given AS MATERIALIZED (
  SELECT nextval('{schema}.scheduled_id_seq') AS id, g.*
  FROM unnest(
    $2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::bytea[], $9::bytea[], $10::text[],
    $11::text[], $12::text[], $13::text[], $14::integer[], $15::integer[], $16::float8[], $17::float8[], $18::bigint[],
    $19::bigint[]
  ) WITH ORDINALITY AS g(
    handler, message_id, message_key, delivery, kind, topic, key, value, header_names, header_values,
    reason, error, attempts, deferrals, born_at_ms, delay_ms, fence, turn, position
  )
), fresh AS (
  INSERT INTO {schema}.schedule_key (app, handler, message_key, delivery, row_id)
  SELECT $1, handler, message_key, delivery, id FROM given
  ORDER BY handler, message_key, delivery
  ON CONFLICT DO NOTHING
  RETURNING row_id
), live AS (
  INSERT INTO {schema}.scheduled (
    id, app, handler, message_id, delivery, kind, topic, key, value, header_names, header_values,
    reason, error, attempts, deferrals, born_at, due_at, fence, turn
  )
  SELECT
    id, $1, handler, message_id, delivery, kind, topic, key, value, header_names::bytea[], header_values::bytea[],
    reason, error, attempts, deferrals, to_timestamp(born_at_ms / 1000), now() + delay_ms * interval '1 millisecond',
    fence, turn
  FROM given JOIN fresh ON fresh.row_id = given.id
  RETURNING topic, due_at
), earliest AS (
  SELECT topic, min(due_at) AS due_at FROM live GROUP BY topic
), news AS (
  SELECT FROM earliest
  WHERE coalesce({schema}.next_due($1, topic, now() + interval '1 second') > due_at, true)
)
SELECT
  set_config('cauce.writer', 'runtime', true) AS writer,
  (SELECT string_agg((given.position - 1)::text, ',') FROM given JOIN fresh ON fresh.row_id = given.id) AS added,
  (SELECT pg_notify({channel}, $1) FROM news LIMIT 1) AS announced

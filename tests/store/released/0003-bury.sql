-- Writes dead letters; a repeat of the same key is skipped.
WITH buried AS (
  INSERT INTO {schema}.dead_letters (
    app, handler, message_key, delivery, topic, partition, "offset", key, value, header_names, header_values,
    cause, error, attempts, deferrals
  )
  SELECT
    $1, handler, message_key, delivery, topic, partition, position, key, value, header_names::bytea[],
    header_values::bytea[], cause, error, attempts, deferrals
  FROM unnest(
    $2::text[], $3::text[], $4::integer[], $5::text[], $6::integer[], $7::bigint[], $8::bytea[], $9::bytea[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::integer[], $15::integer[]
  ) AS g(
    handler, message_key, delivery, topic, partition, position, key, value, header_names, header_values,
    cause, error, attempts, deferrals
  )
  ORDER BY handler, message_key, delivery
  ON CONFLICT DO NOTHING
  RETURNING id
)
SELECT count(*)::integer AS added FROM buried

-- Messages of fenced keys, one after the other in the order given: each answers what became of it.
SELECT g.position::integer - 1 AS position, {schema}.stand_at_fence(
  ($1::text)::boolean, $2, $3, g.handler, g.message_id, g.message_key, g.delivery, g.topic, g.key, g.value, g.header_names::bytea[],
  g.header_values::bytea[], g.reason, g.error, g.attempts, g.deferrals, to_timestamp(g.born_at_ms / 1000),
  g.delay_ms * interval '1 millisecond'
) AS standing
FROM unnest(
  $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[], $9::text[], $10::bytea[], $11::bytea[], $12::text[],
  $13::text[], $14::text[], $15::text[], $16::integer[], $17::integer[], $18::float8[], $19::float8[]
) WITH ORDINALITY AS g(
  handler, message_id, message_key, delivery, kind, topic, key, value, header_names, header_values,
  reason, error, attempts, deferrals, born_at_ms, delay_ms, position
)

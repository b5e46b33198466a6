-- Milliseconds until the next row of these topics is due; not above 0 when one is, null when none waits.
SELECT ceil(extract(epoch FROM min({schema}.next_due($1, wanted.topic, '-infinity')) - clock_timestamp()) * 1000)::float8
  AS next_ms
FROM unnest($2::text[]) AS wanted(topic)

-- Milliseconds until the next row of these topics is due; not above 0 when one is, null when none waits. Rows of versions above
-- those in $3 wait for newer processes.
SELECT ceil(extract(epoch FROM
  min({schema}.next_due($1, wanted.topic, '-infinity', wanted.version)) - clock_timestamp()) * 1000)::float8 AS next_ms
FROM unnest($2::text[], $3::integer[]) AS wanted(topic, version)

-- Milliseconds until the next row of these topics is due; not above 0 when one is, null when none waits.
SELECT ceil(extract(epoch FROM min(head.due_at) - clock_timestamp()) * 1000)::float8 AS next_ms
FROM unnest($2::text[]) AS wanted(topic)
CROSS JOIN LATERAL (
  SELECT s.due_at FROM {schema}.scheduled AS s
  WHERE s.app = $1 AND s.topic = wanted.topic
  ORDER BY s.due_at, s.id
  LIMIT 1
) AS head

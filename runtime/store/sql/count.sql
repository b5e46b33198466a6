-- Rows per topic at a bounded cost: topics are found by hopping through the index, and each is counted up to $2 rows.
WITH RECURSIVE topics AS (
  (SELECT topic FROM {schema}.scheduled WHERE app = $1 ORDER BY topic LIMIT 1)
  UNION ALL
  SELECT (SELECT s.topic FROM {schema}.scheduled AS s WHERE s.app = $1 AND s.topic > topics.topic ORDER BY s.topic LIMIT 1)
  FROM topics WHERE topics.topic IS NOT NULL
)
SELECT
  topics.topic,
  (SELECT count(*)::integer FROM (
    SELECT 1 FROM {schema}.scheduled AS s WHERE s.app = $1 AND s.topic = topics.topic LIMIT $2::bigint
  ) AS waiting) AS waiting,
  (SELECT count(*)::integer FROM (
    SELECT 1 FROM {schema}.scheduled AS s
    WHERE s.app = $1 AND s.topic = topics.topic AND s.due_at <= now() LIMIT $2::bigint
  ) AS due) AS due,
  (SELECT greatest(0, extract(epoch FROM clock_timestamp() - s.due_at) * 1000)::float8
    FROM {schema}.scheduled AS s WHERE s.app = $1 AND s.topic = topics.topic
    ORDER BY s.due_at, s.id LIMIT 1) AS oldest_due_ms
FROM topics WHERE topics.topic IS NOT NULL

-- Takes due rows that no one else holds, the topic that has waited longest first, each topic's rows in order of due
-- time. Topics that have due rows share the batch, so a backlog of one does not hold up the others, and rows of topics
-- that no process here declares are never walked over. It begins at ($4, $6), so that it need not step over what was published
-- since and cannot be cleaned away while somebody holds an old snapshot. Rows of a version above the topic's in $5 are stepped
-- over, and wait for a newer process.
WITH due_topics AS MATERIALIZED (
  SELECT wanted.topic, wanted.version
  FROM unnest($2::text[], $5::integer[]) AS wanted(topic, version)
  CROSS JOIN LATERAL (
    SELECT s.due_at FROM {schema}.scheduled AS s
    WHERE s.app = $1 AND s.topic = wanted.topic AND (s.due_at, s.id) >= (to_timestamp($4::float8), $6::bigint) AND s.due_at <= now()
      AND coalesce(s.version <= wanted.version, true)
    ORDER BY s.due_at, s.id
    LIMIT 1
  ) AS head
  ORDER BY head.due_at
)
SELECT claimed.*
FROM due_topics CROSS JOIN LATERAL (
  SELECT
    s.id, s.handler, s.message_id, s.delivery, s.topic, s.key, s.value, s.header_names, s.header_values,
    s.attempts, s.deferrals, s.fence, s.turn, s.version,
    -- As exact as the column in our century, and cheaper than text; a place that is off only costs a look from the start.
    date_part('epoch', s.due_at) AS due_s,
    -- Null for what the runtime wrote: that is checked already.
    CASE WHEN s.unchecked THEN (extract(epoch FROM s.born_at) * 1000)::float8 END AS by_hand_born_at_ms
  FROM {schema}.scheduled AS s
  WHERE s.app = $1 AND s.topic = due_topics.topic AND (s.due_at, s.id) >= (to_timestamp($4::float8), $6::bigint) AND s.due_at <= now()
    AND coalesce(s.version <= due_topics.version, true)
  ORDER BY s.due_at, s.id
  LIMIT (SELECT greatest(1, $3::bigint / count(*)) FROM due_topics)
  FOR UPDATE SKIP LOCKED
) AS claimed
LIMIT $3::bigint

-- Rows per topic at a bounded cost: each is counted up to $2 rows.
SELECT topic, waiting, due, oldest_due_ms FROM {schema}.topic_counts($1, $2)

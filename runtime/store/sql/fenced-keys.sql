-- Keys of a handler that are held back; one more than asked for says that there are too many.
SELECT key FROM {schema}.fence WHERE app = $1 AND handler = $2 LIMIT $3::bigint

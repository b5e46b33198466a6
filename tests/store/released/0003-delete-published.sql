-- Their keys stay behind as tombstones; nothing needs to be written for that.
DELETE FROM {schema}.scheduled WHERE id = ANY ($1::bigint[])

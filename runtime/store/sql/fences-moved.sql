-- Their messages are on their way: that they are in the schedule no more does not mean that they are lost. Who holds such a fence
-- now moves it himself, and is not waited for.
UPDATE {schema}.fence AS f SET moved_at = now()
FROM (SELECT id FROM {schema}.fence WHERE id = ANY ($1::bigint[]) FOR UPDATE SKIP LOCKED) AS mine
WHERE f.id = mine.id

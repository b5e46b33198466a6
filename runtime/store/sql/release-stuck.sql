-- Sends what is next at fences that have not moved for $2 ms, and is on its way nowhere, again.
SELECT {schema}.release_stuck($1, $2::float8 * interval '1 millisecond') AS released

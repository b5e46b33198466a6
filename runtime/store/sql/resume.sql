-- Tells every process of an app that a paused handler shall go on.
SELECT {schema}.resume_handler($1, $2)

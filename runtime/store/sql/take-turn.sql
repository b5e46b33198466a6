-- May the message at this place run now?
SELECT {schema}.take_turn($1, $2) AS standing

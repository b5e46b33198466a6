-- The message at this place is through; up to $3 of the next ones are on their way at once.
SELECT set_config('cauce.writer', 'runtime', true), {schema}.pass_fence($1, $2, $3)

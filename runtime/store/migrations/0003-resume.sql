-- Version 3: an operator's word to a handler that is paused because it failed at most messages.

CREATE FUNCTION {schema}.resume_handler(of_app text, of_handler text) RETURNS void
LANGUAGE sql AS $$
  SELECT pg_notify({channel}, 'resume:' || of_app || '/' || of_handler)
$$;
COMMENT ON FUNCTION {schema}.resume_handler(text, text) IS 'Lets a handler that is paused because it failed at most messages go on at once, in every process that runs it.';

-- Version 7: the usual moves by name, summaries that stay quick whatever waits, and rights for readers and operators.

-- Which waiting and parked messages are meant. Every choice given must hold; at least one is needed, so that nobody moves all by a slip.
CREATE FUNCTION {schema}.waiting_ids(
  of_app text, of_handler text, of_topic text, of_key text, of_reason text, of_ids bigint[], most bigint
) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF of_app IS NULL OR coalesce(of_handler, of_topic, of_key, of_reason, of_ids::text) IS NULL THEN
    RAISE EXCEPTION 'say which messages: an app, and a handler, topic, key, reason or ids' USING ERRCODE = 'invalid_parameter_value',
      HINT = 'such as (''shop'', handler => ''welcome'', reason => ''MailboxFull'')';
  END IF;
  RETURN ARRAY(
    SELECT w.id FROM (
      SELECT s.id, s.app, s.handler, s.topic, s.key, s.reason, s.due_at FROM {schema}.scheduled AS s
      UNION ALL SELECT p.id, p.app, p.handler, p.topic, p.key, p.reason, p.due_at FROM {schema}.parked AS p
    ) AS w
    WHERE w.app = of_app
      AND (of_handler IS NULL OR w.handler = of_handler) AND (of_topic IS NULL OR w.topic = of_topic)
      AND (of_key IS NULL OR w.key = convert_to(of_key, 'UTF8')) AND (of_reason IS NULL OR w.reason = of_reason)
      AND (of_ids IS NULL OR w.id = ANY (of_ids))
    ORDER BY w.due_at, w.id
    LIMIT most
  );
END $$;
COMMENT ON FUNCTION {schema}.waiting_ids(text, text, text, text, text, bigint[], bigint) IS 'Ids of the waiting and parked messages that are meant, the next due first, at most so many.';

-- One after the other at a rate, or all at once.
CREATE FUNCTION {schema}.spaced(place bigint, per_second float8) RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN per_second > 0 THEN (place - 1) / per_second * interval '1 second' ELSE interval '0' END
$$;
COMMENT ON FUNCTION {schema}.spaced(bigint, float8) IS 'How long after the first one the message at this place (from 1) is due, at so many a second.';

CREATE FUNCTION {schema}.retry_now(
  app text, handler text DEFAULT NULL, topic text DEFAULT NULL, key text DEFAULT NULL, reason text DEFAULT NULL,
  ids bigint[] DEFAULT NULL, per_second float8 DEFAULT NULL, most bigint DEFAULT 10000, dry_run boolean DEFAULT false
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE chosen bigint[]; touched bigint; start timestamptz := clock_timestamp();
BEGIN
  chosen := {schema}.waiting_ids(retry_now.app, retry_now.handler, retry_now.topic, retry_now.key, retry_now.reason, ids, most);
  IF dry_run THEN RETURN cardinality(chosen); END IF;
  UPDATE {schema}.schedule AS w SET due_at = start + {schema}.spaced(c.place, per_second)
  FROM unnest(chosen) WITH ORDINALITY AS c(id, place) WHERE w.id = c.id;
  GET DIAGNOSTICS touched = ROW_COUNT;
  RETURN touched;
END $$;
COMMENT ON FUNCTION {schema}.retry_now(text, text, text, text, text, bigint[], float8, bigint, boolean) IS 'Makes waiting messages due now, or at per_second; parked ones are tried again. How many were touched is returned; with dry_run, how many would be.';

CREATE FUNCTION {schema}.postpone(
  app text, delay interval, handler text DEFAULT NULL, topic text DEFAULT NULL, key text DEFAULT NULL, reason text DEFAULT NULL,
  ids bigint[] DEFAULT NULL, most bigint DEFAULT 10000, dry_run boolean DEFAULT false
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE chosen bigint[]; touched bigint;
BEGIN
  chosen := {schema}.waiting_ids(postpone.app, postpone.handler, postpone.topic, postpone.key, postpone.reason, ids, most);
  IF dry_run THEN RETURN cardinality(chosen); END IF;
  UPDATE {schema}.schedule AS w SET due_at = greatest(w.due_at, now()) + delay
  WHERE w.id = ANY (chosen) AND w.problem IS NULL;
  GET DIAGNOSTICS touched = ROW_COUNT;
  RETURN touched;
END $$;
COMMENT ON FUNCTION {schema}.postpone(text, interval, text, text, text, text, bigint[], bigint, boolean) IS 'Makes waiting messages due so much later than they are, or than now for those that are late. How many is returned.';

CREATE FUNCTION {schema}.cancel(
  app text, handler text DEFAULT NULL, topic text DEFAULT NULL, key text DEFAULT NULL, reason text DEFAULT NULL,
  ids bigint[] DEFAULT NULL, most bigint DEFAULT 10000, dry_run boolean DEFAULT false
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE chosen bigint[]; touched bigint;
BEGIN
  chosen := {schema}.waiting_ids(cancel.app, cancel.handler, cancel.topic, cancel.key, cancel.reason, ids, most);
  IF dry_run THEN RETURN cardinality(chosen); END IF;
  DELETE FROM {schema}.schedule AS w WHERE w.id = ANY (chosen);
  GET DIAGNOSTICS touched = ROW_COUNT;
  RETURN touched;
END $$;
COMMENT ON FUNCTION {schema}.cancel(text, text, text, text, text, bigint[], bigint, boolean) IS 'Cancels waiting and parked messages; they are never published. How many is returned; manual_change keeps what they were.';

CREATE FUNCTION {schema}.redrive(
  app text, handler text DEFAULT NULL, cause text DEFAULT NULL, key text DEFAULT NULL, ids bigint[] DEFAULT NULL,
  per_second float8 DEFAULT NULL, most bigint DEFAULT 10000, dry_run boolean DEFAULT false
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET cauce.writer = 'runtime' AS $$
DECLARE letter record; touched bigint := 0; start timestamptz := clock_timestamp(); due timestamptz; row_number bigint; target text;
BEGIN
  IF redrive.app IS NULL OR coalesce(redrive.handler, redrive.cause, redrive.key, ids::text) IS NULL THEN
    RAISE EXCEPTION 'say which dead letters: an app, and a handler, cause, key or ids' USING ERRCODE = 'invalid_parameter_value',
      HINT = 'such as (''shop'', handler => ''welcome'', cause => ''TypeError'', per_second => 10)';
  END IF;
  FOR letter IN
    SELECT l.* FROM {schema}.dead_letters AS l
    WHERE l.app = redrive.app AND l.redriven_at IS NULL
      AND (redrive.handler IS NULL OR l.handler = redrive.handler) AND (redrive.cause IS NULL OR l.cause = redrive.cause)
      AND (redrive.key IS NULL OR l.key = convert_to(redrive.key, 'UTF8')) AND (ids IS NULL OR l.id = ANY (ids))
    ORDER BY l.id
    LIMIT most
    FOR UPDATE SKIP LOCKED
  LOOP
    touched := touched + 1;
    CONTINUE WHEN dry_run;
    -- Back to its handler alone; what the scheduler gave up goes to its topic.
    target := CASE
      WHEN letter.handler = 'scheduler' OR letter.topic LIKE '%.' || replace(replace(letter.handler, '\', '\\'), '_', '\_') || '.retry'
        THEN letter.topic
      ELSE letter.topic || '.' || letter.handler || '.retry' END;
    due := start + {schema}.spaced(touched, per_second);
    row_number := nextval('{schema}.scheduled_id_seq');
    INSERT INTO {schema}.schedule_key (app, handler, message_key, delivery, row_id)
    VALUES (letter.app, letter.handler, letter.message_key, letter.delivery + 1, row_number)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      touched := touched - 1;
      CONTINUE;
    END IF;
    PERFORM {schema}.announce_if_earlier(letter.app, target, due);
    INSERT INTO {schema}.scheduled (
      id, app, handler, message_id, delivery, kind, topic, key, value, header_names, header_values, reason, error, due_at, unchecked
    ) VALUES (
      row_number, letter.app, letter.handler, letter.message_key, letter.delivery + 1,
      CASE WHEN letter.handler = 'scheduler' THEN 'output' ELSE 'retry' END, target, letter.key, letter.value, letter.header_names,
      letter.header_values, 'redriven', letter.cause || ': ' || letter.error, due, true
    );
    UPDATE {schema}.dead_letters AS l SET redriven_at = clock_timestamp() WHERE l.id = letter.id;
    PERFORM {schema}.note_change('redrive', 'dead_letter', letter.id, NULL,
      jsonb_build_object('schedule_id', row_number, 'topic', target, 'due_at', due));
  END LOOP;
  RETURN touched;
END $$;
COMMENT ON FUNCTION {schema}.redrive(text, text, text, text, bigint[], float8, bigint, boolean) IS 'Sends dead letters that rest back to their handlers, at once or at per_second, with no attempts spent and a new greatest age, under their old ids. How many is returned.';

-- Summaries. Each topic is found by one step through the index, and of each so many rows are looked at and no more.
CREATE FUNCTION {schema}.topics_waiting() RETURNS TABLE (app text, topic text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
#variable_conflict use_variable
BEGIN
  SELECT s.app, s.topic INTO app, topic FROM {schema}.scheduled AS s ORDER BY s.app, s.topic LIMIT 1;
  WHILE FOUND LOOP
    RETURN NEXT;
    SELECT s.app, s.topic INTO app, topic FROM {schema}.scheduled AS s
    WHERE (s.app, s.topic) > (topics_waiting.app, topics_waiting.topic) ORDER BY s.app, s.topic LIMIT 1;
  END LOOP;
END $$;
COMMENT ON FUNCTION {schema}.topics_waiting() IS 'Apps and topics that have rows in the schedule, found by one step through the index each.';

CREATE VIEW {schema}.schedule_summary AS
SELECT t.app, t.topic, g.reason, g.waiting, g.due, g.next_due_at, g.most_attempts, g.most_deferrals
FROM {schema}.topics_waiting() AS t
CROSS JOIN LATERAL (
  SELECT
    r.reason, count(*) AS waiting, count(*) FILTER (WHERE r.due_at <= now()) AS due, min(r.due_at) AS next_due_at,
    max(r.attempts) AS most_attempts, max(r.deferrals) AS most_deferrals
  FROM (
    SELECT s.reason, s.due_at, s.attempts, s.deferrals FROM {schema}.scheduled AS s
    WHERE s.app = t.app AND s.topic = t.topic ORDER BY s.due_at, s.id LIMIT 100000
  ) AS r
  GROUP BY r.reason
) AS g
UNION ALL
SELECT p.app, p.topic, 'parked', count(*), 0, NULL, max(p.attempts), max(p.deferrals) FROM {schema}.parked AS p GROUP BY p.app, p.topic;
COMMENT ON VIEW {schema}.schedule_summary IS 'What waits per topic and reason, and what is parked. Of each topic the 100,000 rows that are due next are counted.';

CREATE VIEW {schema}.schedule_minutes AS
SELECT
  m.minute, c.due, repeat('#', (60 * c.due / greatest(1, max(c.due) OVER ()))::integer) AS bar
FROM (
  SELECT NULL::timestamptz AS minute, '-infinity'::timestamptz AS after, now() AS until
  UNION ALL
  SELECT start, greatest(start, now()), start + interval '1 minute'
  FROM generate_series(date_trunc('minute', now()), date_trunc('minute', now()) + interval '59 minutes', interval '1 minute') AS g(start)
) AS m
CROSS JOIN LATERAL (
  SELECT coalesce(sum(t.due), 0)::bigint AS due FROM (
    SELECT (
      SELECT count(*) FROM (
        SELECT FROM {schema}.scheduled AS s
        WHERE s.app = w.app AND s.topic = w.topic AND s.due_at > m.after AND s.due_at <= m.until LIMIT 10000
      ) AS counted
    ) AS due
    FROM {schema}.topics_waiting() AS w
  ) AS t
) AS c
ORDER BY m.minute NULLS FIRST;
COMMENT ON VIEW {schema}.schedule_minutes IS 'What is due in each of the next 60 minutes; the first row, without a minute, is what is late. At most 10,000 a topic and minute are counted.';

CREATE VIEW {schema}.schedule_oldest AS
SELECT h.* FROM {schema}.topics_waiting() AS t
CROSS JOIN LATERAL (
  SELECT
    s.id, s.app, s.topic, s.handler, {schema}.readable(s.key) AS key_text, s.reason, s.error, s.attempts, s.deferrals, s.due_at,
    date_trunc('milliseconds', now() - s.due_at) AS late, s.created_at
  FROM {schema}.scheduled AS s WHERE s.app = t.app AND s.topic = t.topic ORDER BY s.due_at, s.id LIMIT 50
) AS h
ORDER BY h.due_at, h.id LIMIT 50;
COMMENT ON VIEW {schema}.schedule_oldest IS 'The 50 messages that are due first, or late the longest; late is negative for what is not due yet.';

CREATE VIEW {schema}.schedule_most_retried AS
SELECT h.* FROM {schema}.topics_waiting() AS t
CROSS JOIN LATERAL (
  SELECT
    r.id, r.app, r.topic, r.handler, {schema}.readable(r.key) AS key_text, r.reason, r.error, r.attempts, r.deferrals, r.due_at, r.born_at
  FROM (
    SELECT s.* FROM {schema}.scheduled AS s
    WHERE s.app = t.app AND s.topic = t.topic ORDER BY s.due_at, s.id LIMIT 100000
  ) AS r
  ORDER BY r.attempts + r.deferrals DESC, r.id LIMIT 50
) AS h
WHERE h.attempts + h.deferrals > 0
ORDER BY h.attempts + h.deferrals DESC, h.id LIMIT 50;
COMMENT ON VIEW {schema}.schedule_most_retried IS 'The 50 messages that failed most often, of the 100,000 of each topic that are due next.';

CREATE VIEW {schema}.dead_letter_summary AS
SELECT
  app, handler, cause, count(*) FILTER (WHERE redriven_at IS NULL) AS resting, count(redriven_at) AS redriven,
  min(created_at) AS first_at, max(created_at) AS last_at
FROM {schema}.dead_letters GROUP BY app, handler, cause;
COMMENT ON VIEW {schema}.dead_letter_summary IS 'Dead letters per handler and cause: how many rest, how many were sent again, since when.';

-- Rights. Roles are the database administrator's; these say what one of them gets.
CREATE FUNCTION {schema}.grant_reader(to_role name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA {schema} TO %I', to_role);
  EXECUTE format('GRANT SELECT ON {schema}.schedule, {schema}.held_message, {schema}.dead_letter, {schema}.manual_change,
    {schema}.schedule_summary, {schema}.schedule_minutes, {schema}.schedule_oldest, {schema}.schedule_most_retried,
    {schema}.dead_letter_summary TO %I', to_role);
  EXECUTE format('GRANT EXECUTE ON FUNCTION {schema}.topics_waiting(), {schema}.readable(bytea), {schema}.readable_json(bytea),
    {schema}.readable_headers(bytea[], bytea[]) TO %I', to_role);
END $$;
COMMENT ON FUNCTION {schema}.grant_reader(name) IS 'Lets a role read the views, values of messages included, and nothing else. To be called by the owner.';

CREATE FUNCTION {schema}.grant_operator(to_role name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM {schema}.grant_reader(to_role);
  EXECUTE format('GRANT INSERT, UPDATE, DELETE ON {schema}.schedule TO %I', to_role);
  EXECUTE format('GRANT UPDATE, DELETE ON {schema}.held_message TO %I', to_role);
  EXECUTE format('GRANT DELETE ON {schema}.dead_letter TO %I', to_role);
  EXECUTE format('GRANT EXECUTE ON FUNCTION
    {schema}.retry_now(text, text, text, text, text, bigint[], float8, bigint, boolean),
    {schema}.postpone(text, interval, text, text, text, text, bigint[], bigint, boolean),
    {schema}.cancel(text, text, text, text, text, bigint[], bigint, boolean),
    {schema}.redrive(text, text, text, text, bigint[], float8, bigint, boolean) TO %I', to_role);
END $$;
COMMENT ON FUNCTION {schema}.grant_operator(name) IS 'Lets a role read the views, change the schedule through them, and use the moves; the tables stay closed to it. To be called by the owner.';

-- What runs as the owner is for those who were granted it.
REVOKE EXECUTE ON FUNCTION {schema}.topics_waiting(),
  {schema}.retry_now(text, text, text, text, text, bigint[], float8, bigint, boolean),
  {schema}.postpone(text, interval, text, text, text, text, bigint[], bigint, boolean),
  {schema}.cancel(text, text, text, text, text, bigint[], bigint, boolean),
  {schema}.redrive(text, text, text, text, bigint[], float8, bigint, boolean) FROM PUBLIC;

-- Version 5: the schedule as an interface. Views that take INSERT, UPDATE and DELETE, moves with a name, summaries, and a record of
-- all that was changed by hand. The runtime's own statements touch none of this.
--
-- Functions that write run as their owner, so that an operator needs rights on views alone; their search path is fixed.

CREATE TABLE {schema}.manual_change (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at           timestamptz NOT NULL DEFAULT clock_timestamp(),
  who          text NOT NULL DEFAULT session_user,
  program      text NOT NULL DEFAULT current_setting('application_name'),
  address      inet DEFAULT inet_client_addr(),
  action       text NOT NULL,
  of_view      text NOT NULL,
  row_id       bigint NOT NULL,
  before       jsonb,
  after        jsonb
);
CREATE INDEX manual_change_row ON {schema}.manual_change (of_view, row_id);
COMMENT ON TABLE {schema}.manual_change IS 'What people and other programs changed through the views and functions, in order; the runtime''s own work is not here. Nothing removes old rows but you.';
COMMENT ON COLUMN {schema}.manual_change.id IS 'Number of the change.';
COMMENT ON COLUMN {schema}.manual_change.at IS 'When it was made; it counts once its transaction has committed.';
COMMENT ON COLUMN {schema}.manual_change.who IS 'The role that was logged in.';
COMMENT ON COLUMN {schema}.manual_change.program IS 'The application_name of the session.';
COMMENT ON COLUMN {schema}.manual_change.address IS 'Where the session came from; null for a socket.';
COMMENT ON COLUMN {schema}.manual_change.action IS 'insert, update, delete, or redrive.';
COMMENT ON COLUMN {schema}.manual_change.of_view IS 'The view that shows the row: schedule, held_message or dead_letter.';
COMMENT ON COLUMN {schema}.manual_change.row_id IS 'Its id in that view; for a held message its turn.';
COMMENT ON COLUMN {schema}.manual_change.before IS 'What it said before: the columns that changed, or all of a deleted row.';
COMMENT ON COLUMN {schema}.manual_change.after IS 'What it says now: the columns that changed, or all of a new row.';

-- Only what differs between two rows of a view. due_in is another word for due_at.
CREATE FUNCTION {schema}.note_change(of_action text, of_view text, of_row bigint, was jsonb, became jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO {schema}.manual_change (action, of_view, row_id, before, after) VALUES (
    of_action, note_change.of_view, of_row,
    CASE WHEN became IS NULL THEN was - 'due_in'
    ELSE (SELECT jsonb_object_agg(b.key, b.value) FROM jsonb_each(was - 'due_in') AS b WHERE became -> b.key IS DISTINCT FROM b.value) END,
    CASE WHEN was IS NULL THEN became - 'due_in'
    ELSE (SELECT jsonb_object_agg(a.key, a.value) FROM jsonb_each(became - 'due_in') AS a WHERE was -> a.key IS DISTINCT FROM a.value) END
  );
END $$;
COMMENT ON FUNCTION {schema}.note_change(text, text, bigint, jsonb, jsonb) IS 'Records one manual change: who, when, before and after.';

-- As sql/insert.sql does it: a known row that is due within a second silences nobody. To be called before the row is written.
CREATE FUNCTION {schema}.announce_if_earlier(of_app text, of_topic text, due timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF coalesce({schema}.next_due(of_app, of_topic, now() + interval '1 second') > due, true) THEN
    PERFORM pg_notify({channel}, of_app);
  END IF;
END $$;
COMMENT ON FUNCTION {schema}.announce_if_earlier(text, text, timestamptz) IS 'Wakes the schedulers of an app where a row will be due before all that its topic waits for; Postgres folds repeats within a transaction.';

-- The schedule, waiting and parked. now() and not the clock: a view with a clock in it would be read whole before it is sorted.
CREATE OR REPLACE VIEW {schema}.schedule AS
SELECT
  id, app, topic, handler, kind,
  {schema}.readable(key) AS key_text,
  reason, error, attempts, deferrals, delivery,
  due_at,
  date_trunc('milliseconds', due_at - now()) AS due_in,
  {schema}.readable(value) AS value_text,
  {schema}.readable_json(value) AS value_json,
  {schema}.readable_headers(header_names, header_values) AS headers,
  message_id, born_at, created_at,
  NULL::text AS problem,
  version
FROM {schema}.scheduled
UNION ALL
SELECT
  id, app, topic, handler, kind,
  {schema}.readable(key),
  reason, error, attempts, deferrals, delivery,
  due_at,
  date_trunc('milliseconds', due_at - now()),
  {schema}.readable(value),
  {schema}.readable_json(value),
  {schema}.readable_headers(header_names, header_values),
  message_id, born_at, created_at,
  problem,
  version
FROM {schema}.parked;
COMMENT ON VIEW {schema}.schedule IS 'What waits, why, for which attempt, until when; readable whatever the bytes are. INSERT schedules a message, UPDATE moves or edits one, DELETE cancels it. A row with a problem was written by hand, does not fit its topic, and waits to be put right.';

-- Headers by name: those that did not change keep their bytes and repeats, the others become text.
CREATE FUNCTION {schema}.edited_headers(
  INOUT header_names bytea[], INOUT header_values bytea[], was jsonb, becomes jsonb
) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF jsonb_typeof(becomes) IS DISTINCT FROM 'object' THEN
    RAISE EXCEPTION 'headers must be one JSON object of texts' USING ERRCODE = 'invalid_parameter_value',
      HINT = 'such as ''{"content-type": "application/json"}''';
  END IF;
  SELECT coalesce(array_agg(all_of.name ORDER BY all_of.place), '{}'), coalesce(array_agg(all_of.value ORDER BY all_of.place), '{}')
  INTO header_names, header_values
  FROM (
    SELECT h.name, h.value, h.place FROM unnest(header_names, header_values) WITH ORDINALITY AS h(name, value, place)
    WHERE becomes -> {schema}.readable(h.name) = was -> {schema}.readable(h.name)
    UNION ALL
    SELECT convert_to(e.key, 'UTF8'), convert_to(e.value, 'UTF8'), 1000000 + row_number() OVER (ORDER BY e.key)
    FROM jsonb_each_text(becomes) AS e WHERE was -> e.key IS DISTINCT FROM becomes -> e.key
  ) AS all_of;
END $$;
COMMENT ON FUNCTION {schema}.edited_headers(bytea[], bytea[], jsonb, jsonb) IS 'Headers after an edit of their readable form; what did not change keeps its bytes.';

CREATE FUNCTION {schema}.edited_bytes(bytes bytea, was text, becomes text) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN was IS DISTINCT FROM becomes THEN convert_to(becomes, 'UTF8') ELSE bytes END
$$;
COMMENT ON FUNCTION {schema}.edited_bytes(bytea, text, text) IS 'Bytes after an edit of their readable form; they stay as they are where that did not change.';

-- A value may be edited as text or as JSON.
CREATE FUNCTION {schema}.edited_value(
  bytes bytea, text_was text, text_becomes text, json_was jsonb, json_becomes jsonb
) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF json_was IS NOT DISTINCT FROM json_becomes THEN RETURN {schema}.edited_bytes(bytes, text_was, text_becomes); END IF;
  IF text_was IS DISTINCT FROM text_becomes THEN
    RAISE EXCEPTION 'a value is given as value_text or as value_json, not as both' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN convert_to(json_becomes::text, 'UTF8');
END $$;
COMMENT ON FUNCTION {schema}.edited_value(bytea, text, text, jsonb, jsonb) IS 'A value''s bytes after an edit as text or as JSON.';

CREATE FUNCTION {schema}.insert_scheduled() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET cauce.writer = 'runtime' AS $$
DECLARE names bytea[] := '{}'; header_bytes bytea[] := '{}'; content bytea; written jsonb;
BEGIN
  NEW.app := coalesce(NEW.app, nullif(current_setting('cauce.app', true), ''));
  IF NEW.app IS NULL OR NEW.topic IS NULL THEN
    RAISE EXCEPTION 'a message needs an app and a topic' USING ERRCODE = 'not_null_violation',
      HINT = 'INSERT INTO schedule (app, topic, value_json) VALUES (…), or SET cauce.app first';
  END IF;
  IF NEW.problem IS NOT NULL OR NEW.kind = 'retry' OR NEW.error <> '' OR NEW.id IS NOT NULL OR NEW.created_at IS NOT NULL THEN
    RAISE EXCEPTION 'id, created_at, problem, error and kind are not given with a message' USING ERRCODE = 'feature_not_supported',
      HINT = 'give app, topic, value_json or value_text, and as needed key_text, headers, due_at or due_in, message_id, handler, reason, version';
  END IF;
  IF NEW.due_at IS NOT NULL AND NEW.due_in IS NOT NULL THEN
    RAISE EXCEPTION 'the time is given as due_at or as due_in, not as both' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- A backslash begins an escape in what is stored.
  NEW.message_id := replace(coalesce(NEW.message_id, gen_random_uuid()::text), '\', '\\');
  IF char_length(NEW.message_id) NOT BETWEEN 1 AND 256 THEN
    RAISE EXCEPTION 'a message_id has 1 to 256 characters, not %', char_length(NEW.message_id) USING ERRCODE = 'invalid_parameter_value';
  END IF;
  content := {schema}.edited_value(NULL, NULL, NEW.value_text, NULL, NEW.value_json);
  IF NEW.headers IS NOT NULL THEN
    SELECT e.header_names, e.header_values INTO names, header_bytes
    FROM {schema}.edited_headers('{}', '{}', '{}', NEW.headers) AS e;
  END IF;
  NEW.id := nextval('{schema}.scheduled_id_seq');
  NEW.handler := coalesce(NEW.handler, 'sql');
  NEW.kind := 'output';
  NEW.reason := coalesce(NEW.reason, 'by hand');
  NEW.error := '';
  NEW.attempts := coalesce(NEW.attempts, 0);
  NEW.deferrals := coalesce(NEW.deferrals, 0);
  NEW.delivery := coalesce(NEW.delivery, 0);
  NEW.born_at := coalesce(NEW.born_at, now());
  NEW.created_at := now();
  NEW.due_at := coalesce(NEW.due_at, clock_timestamp() + coalesce(NEW.due_in, interval '0'));
  NEW.due_in := date_trunc('milliseconds', NEW.due_at - now());
  INSERT INTO {schema}.schedule_key (app, handler, message_key, delivery, row_id)
  VALUES (NEW.app, NEW.handler, NEW.message_id, NEW.delivery, NEW.id)
  ON CONFLICT DO NOTHING;
  -- Sent before: the statement reports a row less.
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM {schema}.announce_if_earlier(NEW.app, NEW.topic, NEW.due_at);
  INSERT INTO {schema}.scheduled (
    id, app, handler, message_id, delivery, kind, topic, key, value, header_names, header_values, reason, error, attempts,
    deferrals, born_at, created_at, due_at, unchecked, version
  ) VALUES (
    NEW.id, NEW.app, NEW.handler, NEW.message_id, NEW.delivery, NEW.kind, NEW.topic, convert_to(NEW.key_text, 'UTF8'), content, names,
    header_bytes, NEW.reason, NEW.error, NEW.attempts, NEW.deferrals, NEW.born_at, NEW.created_at, NEW.due_at, true, NEW.version
  );
  NEW.value_text := {schema}.readable(content);
  NEW.value_json := {schema}.readable_json(content);
  written := to_jsonb(NEW);
  PERFORM {schema}.note_change('insert', 'schedule', NEW.id, NULL, jsonb_strip_nulls(written));
  RETURN NEW;
END $$;
COMMENT ON FUNCTION {schema}.insert_scheduled() IS 'INSERT on the view schedule: a message by hand, checked against its topic before it is published.';

CREATE FUNCTION {schema}.edit_scheduled() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET cauce.writer = 'runtime' AS $$
DECLARE
  waiting {schema}.scheduled; is_parked boolean := false; content_changes boolean; old_row jsonb := to_jsonb(OLD);
BEGIN
  IF (NEW.id, NEW.app, NEW.handler, NEW.kind, NEW.message_id, NEW.delivery, NEW.error, NEW.born_at, NEW.created_at, NEW.problem)
    IS DISTINCT FROM
    (OLD.id, OLD.app, OLD.handler, OLD.kind, OLD.message_id, OLD.delivery, OLD.error, OLD.born_at, OLD.created_at, OLD.problem) THEN
    RAISE EXCEPTION 'this column of the schedule cannot be changed' USING ERRCODE = 'feature_not_supported',
      HINT = 'due_at, due_in, topic, key_text, value_text, value_json, headers, reason, attempts, deferrals and version can';
  END IF;
  IF NEW.due_in IS DISTINCT FROM OLD.due_in THEN
    IF NEW.due_at IS DISTINCT FROM OLD.due_at THEN
      RAISE EXCEPTION 'the time is given as due_at or as due_in, not as both' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    NEW.due_at := clock_timestamp() + NEW.due_in;
  END IF;
  -- Who comes too late, because it was published, or changed by somebody else since this statement looked, changes nothing.
  SELECT s.* INTO waiting FROM {schema}.scheduled AS s WHERE s.id = OLD.id AND s.due_at = OLD.due_at FOR UPDATE;
  IF NOT FOUND THEN
    SELECT p.id, p.app, p.handler, p.message_id, p.delivery, p.kind, p.topic, p.key, p.value, p.header_names, p.header_values, p.reason,
      p.error, p.attempts, p.deferrals, p.born_at, p.created_at, p.due_at, p.fence, p.turn, p.unchecked, p.version
    INTO waiting FROM {schema}.parked AS p WHERE p.id = OLD.id AND p.due_at = OLD.due_at FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    is_parked := true;
  END IF;
  IF {schema}.readable(waiting.value) IS DISTINCT FROM OLD.value_text OR {schema}.readable(waiting.key) IS DISTINCT FROM OLD.key_text
    OR waiting.topic <> OLD.topic THEN
    RETURN NULL;
  END IF;
  content_changes := (NEW.topic, NEW.key_text, NEW.value_text, NEW.value_json, NEW.headers, NEW.attempts, NEW.deferrals, NEW.version)
    IS DISTINCT FROM (OLD.topic, OLD.key_text, OLD.value_text, OLD.value_json, OLD.headers, OLD.attempts, OLD.deferrals, OLD.version);
  IF waiting.fence IS NOT NULL AND (NEW.topic, NEW.key_text) IS DISTINCT FROM (OLD.topic, OLD.key_text) THEN
    RAISE EXCEPTION 'message % stands at a fence: others of its key wait behind it', OLD.id USING ERRCODE = 'object_in_use',
      HINT = 'cancel it (DELETE), and insert another one with the other topic or key';
  END IF;
  waiting.topic := NEW.topic;
  waiting.key := {schema}.edited_bytes(waiting.key, OLD.key_text, NEW.key_text);
  waiting.value := {schema}.edited_value(waiting.value, OLD.value_text, NEW.value_text, OLD.value_json, NEW.value_json);
  IF NEW.headers IS DISTINCT FROM OLD.headers THEN
    SELECT e.header_names, e.header_values INTO waiting.header_names, waiting.header_values
    FROM {schema}.edited_headers(waiting.header_names, waiting.header_values, OLD.headers, NEW.headers) AS e;
  END IF;
  waiting.unchecked := waiting.unchecked OR content_changes OR is_parked;
  IF is_parked OR NEW.due_at < OLD.due_at OR NEW.topic <> OLD.topic THEN
    PERFORM {schema}.announce_if_earlier(waiting.app, waiting.topic, NEW.due_at);
  END IF;
  IF is_parked THEN
    -- In the schedule before it leaves the parked ones: a message at a fence is never nowhere.
    INSERT INTO {schema}.scheduled (
      id, app, handler, message_id, delivery, kind, topic, key, value, header_names, header_values, reason, error, attempts, deferrals,
      born_at, created_at, due_at, fence, turn, unchecked, version
    ) VALUES (
      waiting.id, waiting.app, waiting.handler, waiting.message_id, waiting.delivery, waiting.kind, waiting.topic, waiting.key,
      waiting.value, waiting.header_names, waiting.header_values, NEW.reason, waiting.error, NEW.attempts, NEW.deferrals,
      waiting.born_at, waiting.created_at, NEW.due_at, waiting.fence, waiting.turn, true, NEW.version
    );
    DELETE FROM {schema}.parked AS p WHERE p.id = waiting.id;
    NEW.problem := NULL;
  ELSE
    UPDATE {schema}.scheduled AS s SET
      topic = waiting.topic, key = waiting.key, value = waiting.value, header_names = waiting.header_names,
      header_values = waiting.header_values, reason = NEW.reason, attempts = NEW.attempts, deferrals = NEW.deferrals,
      due_at = NEW.due_at, unchecked = waiting.unchecked, version = NEW.version
    WHERE s.id = waiting.id;
  END IF;
  -- The copy that comes back to the fence when its turn has not come.
  IF waiting.fence IS NOT NULL AND content_changes THEN
    UPDATE {schema}.held AS h SET
      value = waiting.value, header_names = waiting.header_names, header_values = waiting.header_values, unchecked = true
    WHERE h.fence = waiting.fence AND h.turn = waiting.turn;
  END IF;
  NEW.value_text := {schema}.readable(waiting.value);
  NEW.value_json := {schema}.readable_json(waiting.value);
  NEW.due_in := date_trunc('milliseconds', NEW.due_at - now());
  PERFORM {schema}.note_change('update', 'schedule', OLD.id, old_row, to_jsonb(NEW));
  RETURN NEW;
END $$;
COMMENT ON FUNCTION {schema}.edit_scheduled() IS 'UPDATE on the view schedule: another time, or another content, which is checked again before it is published.';

-- Without the writer's setting: what the runtime deletes is published, what this deletes is cancelled, and a fence moves on.
CREATE FUNCTION {schema}.cancel_scheduled() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM {schema}.scheduled AS s WHERE s.id = OLD.id AND s.due_at = OLD.due_at;
  IF NOT FOUND THEN
    DELETE FROM {schema}.parked AS p WHERE p.id = OLD.id AND p.due_at = OLD.due_at;
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;
  PERFORM {schema}.note_change('delete', 'schedule', OLD.id, to_jsonb(OLD), NULL);
  RETURN OLD;
END $$;
COMMENT ON FUNCTION {schema}.cancel_scheduled() IS 'DELETE on the view schedule: the message is cancelled, and the next one of its key goes.';

CREATE TRIGGER schedule_insert INSTEAD OF INSERT ON {schema}.schedule FOR EACH ROW EXECUTE FUNCTION {schema}.insert_scheduled();
CREATE TRIGGER schedule_edit INSTEAD OF UPDATE ON {schema}.schedule FOR EACH ROW EXECUTE FUNCTION {schema}.edit_scheduled();
CREATE TRIGGER schedule_cancel INSTEAD OF DELETE ON {schema}.schedule FOR EACH ROW EXECUTE FUNCTION {schema}.cancel_scheduled();
COMMENT ON TRIGGER schedule_insert ON {schema}.schedule IS 'INSERT schedules a message.';
COMMENT ON TRIGGER schedule_edit ON {schema}.schedule IS 'UPDATE moves or edits a message.';
COMMENT ON TRIGGER schedule_cancel ON {schema}.schedule IS 'DELETE cancels a message.';

-- Messages that are held back may be edited while they wait here, and cancelled.
ALTER TABLE {schema}.held ADD COLUMN unchecked boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN {schema}.held.unchecked IS 'Was it edited by hand? Then it is checked again when it is sent.';

CREATE OR REPLACE FUNCTION {schema}.release_held(of_fence bigint, most integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE released_count integer;
BEGIN
  WITH next AS (
    SELECT h.fence, h.turn FROM {schema}.held AS h
    WHERE h.fence = of_fence ORDER BY h.turn LIMIT most
  ), released AS (
    UPDATE {schema}.held AS h SET released = true FROM next
    WHERE h.fence = next.fence AND h.turn = next.turn AND NOT h.released
    RETURNING h.*
  ), live AS (
    INSERT INTO {schema}.scheduled (
      app, handler, message_id, delivery, kind, topic, key, value, header_names, header_values,
      reason, error, attempts, deferrals, born_at, due_at, fence, turn, unchecked
    )
    SELECT f.app, f.handler, r.message_id, r.delivery, 'retry', r.topic, r.key, r.value, r.header_names, r.header_values,
      r.reason, r.error, r.attempts, r.deferrals, r.born_at, now(), r.fence, r.turn, r.unchecked
    FROM released AS r JOIN {schema}.fence AS f ON f.id = r.fence
    ORDER BY r.turn
    RETURNING 1
  )
  SELECT count(*) INTO released_count FROM live;
  IF released_count > 0 THEN
    PERFORM pg_notify({channel}, f.app) FROM {schema}.fence AS f WHERE f.id = of_fence;
  END IF;
  RETURN released_count;
END $$;

CREATE FUNCTION {schema}.edit_held() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE waiting {schema}.held; changed jsonb;
BEGIN
  SELECT h.* INTO waiting FROM {schema}.held AS h WHERE h.fence = OLD.fence AND h.turn = OLD.turn FOR UPDATE;
  IF NOT FOUND OR {schema}.readable(waiting.value) IS DISTINCT FROM OLD.value_text THEN RETURN NULL; END IF;
  IF TG_OP = 'DELETE' THEN
    DELETE FROM {schema}.held AS h WHERE h.fence = OLD.fence AND h.turn = OLD.turn;
    PERFORM {schema}.note_change('delete', 'held_message', OLD.turn, to_jsonb(OLD), NULL);
    RETURN OLD;
  END IF;
  changed := to_jsonb(NEW) - 'value_text' - 'value_json';
  IF changed IS DISTINCT FROM to_jsonb(OLD) - 'value_text' - 'value_json' THEN
    RAISE EXCEPTION 'of a held message only the value can be changed' USING ERRCODE = 'feature_not_supported',
      HINT = 'set value_text or value_json; DELETE cancels the message';
  END IF;
  -- It is on its way already: its row in the schedule, or its record, is what counts.
  IF waiting.released THEN RETURN NULL; END IF;
  waiting.value := {schema}.edited_value(waiting.value, OLD.value_text, NEW.value_text, OLD.value_json, NEW.value_json);
  UPDATE {schema}.held AS h SET value = waiting.value, unchecked = true WHERE h.fence = OLD.fence AND h.turn = OLD.turn;
  NEW.value_text := {schema}.readable(waiting.value);
  NEW.value_json := {schema}.readable_json(waiting.value);
  PERFORM {schema}.note_change('update', 'held_message', OLD.turn, to_jsonb(OLD), to_jsonb(NEW));
  RETURN NEW;
END $$;
COMMENT ON FUNCTION {schema}.edit_held() IS 'UPDATE and DELETE on the view held_message: another value, or cancelled. What is on its way already reports no row.';
CREATE TRIGGER held_message_edit INSTEAD OF UPDATE OR DELETE ON {schema}.held_message FOR EACH ROW EXECUTE FUNCTION {schema}.edit_held();
COMMENT ON TRIGGER held_message_edit ON {schema}.held_message IS 'UPDATE edits the value of a held message, DELETE cancels it.';

-- Dead letters: by cause, and back to their handlers.
ALTER TABLE {schema}.dead_letters ADD COLUMN redriven_at timestamptz;
COMMENT ON COLUMN {schema}.dead_letters.redriven_at IS 'When it was sent to its handler again; null for one that rests.';
CREATE INDEX dead_letters_cause ON {schema}.dead_letters (app, handler, cause, created_at) INCLUDE (redriven_at);

CREATE OR REPLACE VIEW {schema}.dead_letter AS
SELECT
  id, app, topic, handler,
  {schema}.readable(key) AS key_text,
  cause, error, attempts, deferrals, delivery,
  created_at,
  date_trunc('milliseconds', now() - created_at) AS age,
  {schema}.readable(value) AS value_text,
  {schema}.readable_json(value) AS value_json,
  {schema}.readable_headers(header_names, header_values) AS headers,
  partition, "offset", message_key AS message_id,
  redriven_at
FROM {schema}.dead_letters;

CREATE FUNCTION {schema}.remove_dead_letter() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM {schema}.dead_letters AS l WHERE l.id = OLD.id;
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM {schema}.note_change('delete', 'dead_letter', OLD.id, to_jsonb(OLD) - 'age', NULL);
  RETURN OLD;
END $$;
COMMENT ON FUNCTION {schema}.remove_dead_letter() IS 'DELETE on the view dead_letter; what was removed stays in manual_change.';
CREATE TRIGGER dead_letter_remove INSTEAD OF DELETE ON {schema}.dead_letter FOR EACH ROW EXECUTE FUNCTION {schema}.remove_dead_letter();
COMMENT ON TRIGGER dead_letter_remove ON {schema}.dead_letter IS 'DELETE removes a dead letter for good.';

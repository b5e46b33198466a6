-- Version 2: fences. A handler that holds a key back while one of its messages waits keeps the key's later messages here,
-- in order, until that one and every held one before them is processed.

CREATE TABLE {schema}.fence (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app        text NOT NULL,
  handler    text NOT NULL,
  key        bytea NOT NULL,
  turn       bigint NOT NULL DEFAULT 1,
  last       bigint NOT NULL DEFAULT 1,
  waiting    integer NOT NULL DEFAULT 1,
  raised_at  timestamptz NOT NULL DEFAULT now(),
  moved_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
-- A key may be longer than an index entry may be.
CREATE UNIQUE INDEX fence_of_key ON {schema}.fence (app, handler, sha256(key));

COMMENT ON TABLE {schema}.fence IS 'Keys that are held back: while a row is here, messages of this key wait in held and pass one at a time.';
COMMENT ON COLUMN {schema}.fence.id IS 'Number of the fence.';
COMMENT ON COLUMN {schema}.fence.app IS 'The application that owns it.';
COMMENT ON COLUMN {schema}.fence.handler IS 'The handler that holds the key back.';
COMMENT ON COLUMN {schema}.fence.key IS 'The key, bytes untouched.';
COMMENT ON COLUMN {schema}.fence.turn IS 'The place of the message that may pass now; all before it are processed.';
COMMENT ON COLUMN {schema}.fence.last IS 'The highest place that was given out.';
COMMENT ON COLUMN {schema}.fence.waiting IS 'Messages that are not through: the one whose turn it is and those behind it.';
COMMENT ON COLUMN {schema}.fence.raised_at IS 'When the first message of the key failed.';
COMMENT ON COLUMN {schema}.fence.moved_at IS 'When the turn last passed on.';

CREATE TABLE {schema}.held (
  fence         bigint NOT NULL REFERENCES {schema}.fence ON DELETE CASCADE,
  turn          bigint NOT NULL,
  released      boolean NOT NULL,
  message_id    text NOT NULL,
  delivery      integer NOT NULL,
  topic         text NOT NULL,
  key           bytea,
  value         bytea,
  header_names  bytea[] NOT NULL DEFAULT '{}',
  header_values bytea[] NOT NULL DEFAULT '{}',
  reason        text NOT NULL DEFAULT '',
  error         text NOT NULL DEFAULT '',
  attempts      integer NOT NULL DEFAULT 0,
  deferrals     integer NOT NULL DEFAULT 0,
  born_at       timestamptz NOT NULL DEFAULT now(),
  held_at       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (fence, turn),
  CHECK (cardinality(header_names) = cardinality(header_values))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

COMMENT ON TABLE {schema}.held IS 'Messages of fenced keys, in order, each until it is processed. For reading, use the view held_message; deleting a row cancels its message.';
COMMENT ON COLUMN {schema}.held.fence IS 'The fence that the message waits behind.';
COMMENT ON COLUMN {schema}.held.turn IS 'Its place behind the fence.';
COMMENT ON COLUMN {schema}.held.released IS 'Is it on its way to the handler (a row in scheduled, or a record on its topic)? It comes back here when its turn has not come.';
COMMENT ON COLUMN {schema}.held.message_id IS 'Id of the message, written as in scheduled.message_id.';
COMMENT ON COLUMN {schema}.held.delivery IS 'The delivery under which it comes back.';
COMMENT ON COLUMN {schema}.held.topic IS 'Where it is published when its turn comes: the retry topic of its handler.';
COMMENT ON COLUMN {schema}.held.key IS 'Key of the record, bytes untouched.';
COMMENT ON COLUMN {schema}.held.value IS 'Value of the record, bytes untouched.';
COMMENT ON COLUMN {schema}.held.header_names IS 'Names of its headers in UTF-8, in order.';
COMMENT ON COLUMN {schema}.held.header_values IS 'Values of its headers, in the order of header_names.';
COMMENT ON COLUMN {schema}.held.reason IS 'Why it waits, in a word or two.';
COMMENT ON COLUMN {schema}.held.error IS 'The failure in words, for the message that raised the fence.';
COMMENT ON COLUMN {schema}.held.attempts IS 'Attempts spent when it came here.';
COMMENT ON COLUMN {schema}.held.deferrals IS 'Delays that cost no attempt, when it came here.';
COMMENT ON COLUMN {schema}.held.born_at IS 'When the message was made.';
COMMENT ON COLUMN {schema}.held.held_at IS 'When it came here.';

ALTER TABLE {schema}.scheduled ADD COLUMN fence bigint, ADD COLUMN turn bigint;
COMMENT ON COLUMN {schema}.scheduled.fence IS 'The fence that this message stands at; null for most.';
COMMENT ON COLUMN {schema}.scheduled.turn IS 'Its place behind that fence.';

CREATE VIEW {schema}.held_message AS
SELECT
  h.fence, h.turn, f.turn = h.turn AS is_next, h.released,
  f.app, f.handler, {schema}.readable(f.key) AS key_text,
  h.reason, h.error, h.attempts, h.deferrals, h.delivery,
  f.raised_at, h.held_at,
  {schema}.readable(h.value) AS value_text,
  {schema}.readable_json(h.value) AS value_json,
  {schema}.readable_headers(h.header_names, h.header_values) AS headers,
  h.message_id, h.topic
FROM {schema}.held AS h JOIN {schema}.fence AS f ON f.id = h.fence;
COMMENT ON VIEW {schema}.held_message IS 'Messages of fenced keys with their places; is_next says whose turn it is.';

-- Puts up to `most` of a fence's next messages on their way, due at once. The caller holds the fence's row.
CREATE FUNCTION {schema}.release_held(of_fence bigint, most integer) RETURNS integer
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
      reason, error, attempts, deferrals, born_at, due_at, fence, turn
    )
    SELECT f.app, f.handler, r.message_id, r.delivery, 'retry', r.topic, r.key, r.value, r.header_names, r.header_values,
      r.reason, r.error, r.attempts, r.deferrals, r.born_at, now(), r.fence, r.turn
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
COMMENT ON FUNCTION {schema}.release_held(bigint, integer) IS 'Puts the next messages of a fence on their way, due at once; how many is answered.';

-- After a message behind a fence is gone: the turn passes on, or the fence falls. The caller holds the fence's row.
CREATE FUNCTION {schema}.move_fence(of_fence bigint, most integer) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE next_turn bigint; moved boolean;
BEGIN
  SELECT min(h.turn) INTO next_turn FROM {schema}.held AS h WHERE h.fence = of_fence;
  IF next_turn IS NULL THEN
    DELETE FROM {schema}.fence AS f WHERE f.id = of_fence;
    RETURN true;
  END IF;
  UPDATE {schema}.fence AS f SET turn = next_turn, moved_at = now()
  WHERE f.id = of_fence AND f.turn <> next_turn;
  moved := FOUND;
  UPDATE {schema}.fence AS f SET waiting = f.waiting - 1 WHERE f.id = of_fence;
  -- Several are on their way at once, or each would cost a round through the schedule. Refilled by halves.
  IF moved AND EXISTS (
    SELECT 1 FROM (
      SELECT h.released FROM {schema}.held AS h WHERE h.fence = of_fence ORDER BY h.turn LIMIT greatest(1, most / 2)
    ) AS near WHERE NOT near.released
  ) THEN
    PERFORM {schema}.release_held(of_fence, most);
  END IF;
  RETURN false;
END $$;
COMMENT ON FUNCTION {schema}.move_fence(bigint, integer) IS 'Passes a fence''s turn on to its next message, or removes the fence when none is left (then true).';

CREATE FUNCTION {schema}.pass_fence(of_fence bigint, of_turn bigint, most integer) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM {schema}.fence AS f WHERE f.id = of_fence FOR UPDATE;
  IF NOT FOUND THEN RETURN true; END IF;
  DELETE FROM {schema}.held AS h WHERE h.fence = of_fence AND h.turn = of_turn;
  RETURN FOUND AND {schema}.move_fence(of_fence, most);
END $$;
COMMENT ON FUNCTION {schema}.pass_fence(bigint, bigint, integer) IS 'Says that the message at this place is through (processed, dead or cancelled). True when the fence is gone; repeats change nothing.';

-- A message came back with a place. Its turn: "free". Not yet: "held", and it stays here until then. Over: "known". "gone": the
-- fence fell, and the message is run: twice perhaps, but nothing is lost.
CREATE FUNCTION {schema}.take_turn(of_fence bigint, of_turn bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE at_turn bigint;
BEGIN
  SELECT f.turn INTO at_turn FROM {schema}.fence AS f WHERE f.id = of_fence FOR UPDATE;
  IF NOT FOUND THEN RETURN 'gone'; END IF;
  IF at_turn = of_turn THEN RETURN 'free'; END IF;
  UPDATE {schema}.held AS h SET released = false WHERE h.fence = of_fence AND h.turn = of_turn;
  RETURN CASE WHEN FOUND THEN 'held' ELSE 'known' END;
END $$;
COMMENT ON FUNCTION {schema}.take_turn(bigint, bigint) IS 'May the message at this place be run now (free), must it wait (held), is it through already (known), or did the fence fall (gone)?';

-- Whoever cancels a message by hand, in the schedule or among the held ones, lets the next one of its key go. The claim's own
-- delete is no end: the message is on its way. Statements of the runtime say so in cauce.writer.
CREATE FUNCTION {schema}.fence_moves_on() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('cauce.writer', true) = 'runtime' THEN RETURN NULL; END IF;
  PERFORM FROM {schema}.fence AS f WHERE f.id = OLD.fence FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM set_config('cauce.writer', 'runtime', true);
  IF TG_TABLE_NAME = 'held' THEN
    DELETE FROM {schema}.scheduled AS s WHERE s.fence = OLD.fence AND s.turn = OLD.turn;
    PERFORM {schema}.move_fence(OLD.fence, 100);
  ELSE
    PERFORM {schema}.pass_fence(OLD.fence, OLD.turn, 100);
  END IF;
  PERFORM set_config('cauce.writer', '', true);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION {schema}.fence_moves_on() IS 'Lets the next message of a fenced key go when a person has cancelled the one before.';

CREATE TRIGGER scheduled_fence_moves_on
AFTER DELETE ON {schema}.scheduled
FOR EACH ROW WHEN (OLD.fence IS NOT NULL) EXECUTE FUNCTION {schema}.fence_moves_on();
COMMENT ON TRIGGER scheduled_fence_moves_on ON {schema}.scheduled IS 'A cancelled message of a fenced key lets the next one go.';

CREATE TRIGGER held_fence_moves_on
AFTER DELETE ON {schema}.held
FOR EACH ROW EXECUTE FUNCTION {schema}.fence_moves_on();
COMMENT ON TRIGGER held_fence_moves_on ON {schema}.held IS 'A cancelled message of a fenced key lets the next one go.';

-- A message of a fenced key comes to stand behind its fence. With `raising` the fence is made where there is none, and
-- the message is the first at it: it waits as a row of the schedule. Answers "raised" (first at a new fence), "held",
-- "known" (this delivery stands somewhere already, or did), "free" (no fence) or "full" (`most` wait already).
CREATE FUNCTION {schema}.stand_at_fence(
  raising boolean, most integer, of_app text, of_handler text, of_message_id text, of_message_key text,
  of_delivery integer, of_topic text, of_key bytea, of_value bytea, of_header_names bytea[], of_header_values bytea[],
  of_reason text, of_error text, of_attempts integer, of_deferrals integer, of_born_at timestamptz, of_delay interval
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE at_fence bigint; place bigint := 1; crowd integer; fresh boolean := false; row_number bigint;
BEGIN
  LOOP
    IF raising THEN
      INSERT INTO {schema}.fence (app, handler, key) VALUES (of_app, of_handler, of_key)
      ON CONFLICT DO NOTHING RETURNING id INTO at_fence;
      fresh := FOUND;
    END IF;
    EXIT WHEN fresh;
    SELECT f.id, f.waiting INTO at_fence, crowd FROM {schema}.fence AS f
    WHERE f.app = of_app AND f.handler = of_handler AND sha256(f.key) = sha256(of_key)
    FOR UPDATE;
    EXIT WHEN FOUND;
    IF NOT raising THEN RETURN 'free'; END IF;
  END LOOP;
  row_number := nextval('{schema}.scheduled_id_seq');
  INSERT INTO {schema}.schedule_key (app, handler, message_key, delivery, row_id)
  VALUES (of_app, of_handler, of_message_key, of_delivery, row_number)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    IF fresh THEN DELETE FROM {schema}.fence AS f WHERE f.id = at_fence; END IF;
    RETURN 'known';
  END IF;
  IF NOT raising AND crowd >= most THEN
    DELETE FROM {schema}.schedule_key AS k
    WHERE (k.app, k.handler, k.message_key, k.delivery) = (of_app, of_handler, of_message_key, of_delivery);
    RETURN 'full';
  END IF;
  IF NOT fresh THEN
    UPDATE {schema}.fence AS f SET last = f.last + 1, waiting = f.waiting + 1 WHERE f.id = at_fence
    RETURNING f.last INTO place;
  END IF;
  INSERT INTO {schema}.held (
    fence, turn, released, message_id, delivery, topic, key, value, header_names, header_values,
    reason, error, attempts, deferrals, born_at
  ) VALUES (
    at_fence, place, fresh, of_message_id, of_delivery, of_topic, of_key, of_value, of_header_names, of_header_values,
    of_reason, of_error, of_attempts, of_deferrals, of_born_at
  );
  IF NOT fresh THEN RETURN 'held'; END IF;
  PERFORM set_config('cauce.writer', 'runtime', true);
  IF coalesce({schema}.next_due(of_app, of_topic, now() + interval '1 second') > now() + of_delay, true) THEN
    PERFORM pg_notify({channel}, of_app);
  END IF;
  INSERT INTO {schema}.scheduled (
    id, app, handler, message_id, delivery, kind, topic, key, value, header_names, header_values,
    reason, error, attempts, deferrals, born_at, due_at, fence, turn
  ) VALUES (
    row_number, of_app, of_handler, of_message_id, of_delivery, 'retry', of_topic, of_key, of_value, of_header_names,
    of_header_values, of_reason, of_error, of_attempts, of_deferrals, of_born_at, now() + of_delay, at_fence, place
  );
  -- Owners of the key elsewhere learn that it is held back now.
  PERFORM pg_notify({channel}, 'fence:' || of_app || '/' || of_handler);
  RETURN 'raised';
END $$;
COMMENT ON FUNCTION {schema}.stand_at_fence(boolean, integer, text, text, text, text, integer, text, bytea, bytea, bytea[], bytea[], text, text, integer, integer, timestamptz, interval) IS 'Puts a message of a fenced key behind its fence, and with raising makes the fence: raised, held, known, free or full.';

-- What was on its way for too long without coming back (a topic that was emptied) is sent again: no key stays blocked.
CREATE FUNCTION {schema}.release_stuck(of_app text, older_than interval) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE stuck bigint; count integer := 0;
BEGIN
  FOR stuck IN
    SELECT f.id FROM {schema}.fence AS f
    WHERE f.app = of_app AND f.moved_at < now() - older_than
      AND NOT EXISTS (SELECT 1 FROM {schema}.scheduled AS s WHERE s.app = f.app AND s.fence = f.id AND s.turn = f.turn)
    LIMIT 1000 FOR UPDATE SKIP LOCKED
  LOOP
    PERFORM set_config('cauce.writer', 'runtime', true);
    UPDATE {schema}.held AS h SET released = false WHERE h.fence = stuck;
    UPDATE {schema}.fence AS f SET moved_at = now() WHERE f.id = stuck;
    PERFORM {schema}.release_held(stuck, 1);
    count := count + 1;
  END LOOP;
  RETURN count;
END $$;
COMMENT ON FUNCTION {schema}.release_stuck(text, interval) IS 'Sends the next message of fences that have not moved for so long again; how many fences is answered.';

-- One look-up by place, for release_stuck and for people.
CREATE INDEX scheduled_fence ON {schema}.scheduled (fence, turn) WHERE fence IS NOT NULL;

-- Version 6: what the runtime does with rows that were written by hand, and rows that others write in their own transaction.

-- Rows of a newer version of their topic's schema are left to newer processes. Null for `up_to_version`: any.
CREATE FUNCTION {schema}.next_due(of_app text, of_topic text, later_than timestamptz, up_to_version integer) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
BEGIN
  RETURN (
    SELECT s.due_at FROM {schema}.scheduled AS s
    WHERE s.app = of_app AND s.topic = of_topic AND s.due_at > later_than
      AND coalesce(s.version <= up_to_version, true)
    ORDER BY s.due_at, s.id
    LIMIT 1
  );
END $$;
COMMENT ON FUNCTION {schema}.next_due(text, text, timestamptz, integer) IS 'The first due time of a topic after a moment, or null; rows above a version of the topic''s schema are passed over.';

-- A message that stands parked at a fence is no lost one: nothing is sent around it.
CREATE OR REPLACE FUNCTION {schema}.release_stuck(of_app text, older_than interval) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE stuck bigint; count integer := 0;
BEGIN
  FOR stuck IN
    SELECT f.id FROM {schema}.fence AS f
    WHERE f.app = of_app AND f.moved_at < now() - older_than
      AND NOT EXISTS (SELECT 1 FROM {schema}.scheduled AS s WHERE s.app = f.app AND s.fence = f.id AND s.turn = f.turn)
      AND NOT EXISTS (SELECT 1 FROM {schema}.parked AS p WHERE p.app = f.app AND p.fence = f.id AND p.turn = f.turn)
    LIMIT 1000 FOR UPDATE SKIP LOCKED
  LOOP
    PERFORM set_config('cauce.writer', 'runtime', true);
    UPDATE {schema}.held AS h SET released = false
    WHERE h.fence = stuck
      AND NOT EXISTS (SELECT 1 FROM {schema}.parked AS p WHERE p.fence = h.fence AND p.turn = h.turn);
    UPDATE {schema}.fence AS f SET moved_at = now() WHERE f.id = stuck;
    PERFORM {schema}.release_held(stuck, 1);
    count := count + 1;
  END LOOP;
  RETURN count;
END $$;

-- As before, and for parked messages: cancelled, they let the next one go. One that was put back into the schedule goes on itself.
CREATE OR REPLACE FUNCTION {schema}.fence_moves_on() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('cauce.writer', true) = 'runtime' THEN RETURN NULL; END IF;
  PERFORM FROM {schema}.fence AS f WHERE f.id = OLD.fence FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF TG_TABLE_NAME = 'parked' AND EXISTS (
    SELECT 1 FROM {schema}.scheduled AS s WHERE s.fence = OLD.fence AND s.turn = OLD.turn
  ) THEN
    RETURN NULL;
  END IF;
  PERFORM set_config('cauce.writer', 'runtime', true);
  IF TG_TABLE_NAME = 'held' THEN
    DELETE FROM {schema}.scheduled AS s WHERE s.fence = OLD.fence AND s.turn = OLD.turn;
    DELETE FROM {schema}.parked AS p WHERE p.fence = OLD.fence AND p.turn = OLD.turn;
    PERFORM {schema}.move_fence(OLD.fence, 100);
  ELSE
    PERFORM {schema}.pass_fence(OLD.fence, OLD.turn, 100);
  END IF;
  PERFORM set_config('cauce.writer', '', true);
  RETURN NULL;
END $$;

CREATE TRIGGER parked_fence_moves_on
AFTER DELETE ON {schema}.parked
FOR EACH ROW WHEN (OLD.fence IS NOT NULL) EXECUTE FUNCTION {schema}.fence_moves_on();
COMMENT ON TRIGGER parked_fence_moves_on ON {schema}.parked IS 'A cancelled message of a fenced key lets the next one go.';

-- One message in the writer's own transaction: published when that commits, known twice where its id was sent before. As the
-- runtime's own write: it is checked already. The setting ends with the function, and what else the writer does is his own.
-- A known row that is due within ten seconds silences nobody, as in the runtime's inserts, whose statements are shorter: it may
-- be published, and the next due time read, before the writer commits. A transaction that takes longer waits for the next look.
CREATE FUNCTION {schema}.send_later(
  of_app text, of_message_id text, of_message_key text, of_topic text, of_key bytea, of_value bytea,
  of_header_names bytea[], of_header_values bytea[], of_reason text, of_version integer, of_born_at timestamptz, of_delay interval
) RETURNS boolean
LANGUAGE plpgsql
SET cauce.writer = 'runtime' AS $$
DECLARE row_number bigint := nextval('{schema}.scheduled_id_seq'); due timestamptz := clock_timestamp() + of_delay;
BEGIN
  INSERT INTO {schema}.schedule_key (app, handler, message_key, delivery, row_id)
  VALUES (of_app, 'client', of_message_key, 0, row_number)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN false; END IF;
  IF coalesce({schema}.next_due(of_app, of_topic, now() + interval '10 seconds') > due, true) THEN
    PERFORM pg_notify({channel}, of_app);
  END IF;
  INSERT INTO {schema}.scheduled (
    id, app, handler, message_id, delivery, kind, topic, key, value, header_names, header_values, reason, version, born_at, due_at
  ) VALUES (
    row_number, of_app, 'client', of_message_id, 0, 'output', of_topic, of_key, of_value, of_header_names, of_header_values,
    of_reason, of_version, of_born_at, due
  );
  RETURN true;
END $$;
COMMENT ON FUNCTION {schema}.send_later(text, text, text, text, bytea, bytea, bytea[], bytea[], text, integer, timestamptz, interval) IS 'Writes a checked message for code that is no handler, inside its own transaction; false where its id was sent before.';

-- Version 8: a held message keeps the version of its topic's schema, so that its turn is left to processes that know it.

ALTER TABLE {schema}.held ADD COLUMN version integer CHECK (version > 0);
COMMENT ON COLUMN {schema}.held.version IS 'Version of the topic''s schema by which the value was written, as in scheduled.version. Null: any version.';

CREATE OR REPLACE VIEW {schema}.held_message AS
SELECT
  h.fence, h.turn, f.turn = h.turn AS is_next, h.released,
  f.app, f.handler, {schema}.readable(f.key) AS key_text,
  h.reason, h.error, h.attempts, h.deferrals, h.delivery,
  f.raised_at, h.held_at,
  {schema}.readable(h.value) AS value_text,
  {schema}.readable_json(h.value) AS value_json,
  {schema}.readable_headers(h.header_names, h.header_values) AS headers,
  h.message_id, h.topic, h.version
FROM {schema}.held AS h JOIN {schema}.fence AS f ON f.id = h.fence;

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
      reason, error, attempts, deferrals, born_at, due_at, fence, turn, unchecked, version
    )
    SELECT f.app, f.handler, r.message_id, r.delivery, 'retry', r.topic, r.key, r.value, r.header_names, r.header_values,
      r.reason, r.error, r.attempts, r.deferrals, r.born_at, now(), r.fence, r.turn, r.unchecked, r.version
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

-- Older processes call the function without a version. Whoever came to stand has the fence's last place, and its row is locked.
CREATE FUNCTION {schema}.stand_at_fence(
  raising boolean, most integer, of_app text, of_handler text, of_message_id text, of_message_key text,
  of_delivery integer, of_topic text, of_key bytea, of_value bytea, of_header_names bytea[], of_header_values bytea[],
  of_reason text, of_error text, of_attempts integer, of_deferrals integer, of_born_at timestamptz, of_delay interval,
  of_version integer
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE standing text; at_fence bigint; place bigint;
BEGIN
  standing := {schema}.stand_at_fence(
    raising, most, of_app, of_handler, of_message_id, of_message_key, of_delivery, of_topic, of_key, of_value,
    of_header_names, of_header_values, of_reason, of_error, of_attempts, of_deferrals, of_born_at, of_delay
  );
  IF of_version IS NULL OR standing NOT IN ('raised', 'held') THEN RETURN standing; END IF;
  SELECT f.id, f.last INTO at_fence, place FROM {schema}.fence AS f
  WHERE f.app = of_app AND f.handler = of_handler AND sha256(f.key) = sha256(of_key);
  UPDATE {schema}.held AS h SET version = of_version WHERE h.fence = at_fence AND h.turn = place;
  UPDATE {schema}.scheduled AS s SET version = of_version WHERE s.fence = at_fence AND s.turn = place;
  RETURN standing;
END $$;
COMMENT ON FUNCTION {schema}.stand_at_fence(boolean, integer, text, text, text, text, integer, text, bytea, bytea, bytea[], bytea[], text, text, integer, integer, timestamptz, interval, integer) IS 'Puts a message of a fenced key behind its fence with the version of its schema, and with raising makes the fence: raised, held, known, free or full.';

-- A version that is edited in the view schedule holds for the copy that comes back to the fence too.
CREATE FUNCTION {schema}.keep_held_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE {schema}.held AS h SET version = NEW.version
  WHERE h.fence = NEW.fence AND h.turn = NEW.turn AND h.version IS DISTINCT FROM NEW.version;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION {schema}.keep_held_version() IS 'Carries an edited version to the copy that waits at the fence.';
CREATE TRIGGER scheduled_held_version
AFTER INSERT OR UPDATE OF version ON {schema}.scheduled
FOR EACH ROW WHEN (NEW.fence IS NOT NULL AND NEW.unchecked) EXECUTE FUNCTION {schema}.keep_held_version();
COMMENT ON TRIGGER scheduled_held_version ON {schema}.scheduled IS 'An edited version holds at the fence too.';

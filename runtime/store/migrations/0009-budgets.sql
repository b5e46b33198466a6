-- Version 9: budgets: what all processes of an app may do together, so often a minute and so many at a time.

CREATE TABLE {schema}.budget (
  app text NOT NULL,
  name text NOT NULL,
  per_minute float8,
  tokens_per_minute float8,
  in_flight integer,
  -- The pace after a refusal; null where nothing was refused lately.
  slowed float8,
  slowed_at timestamptz,
  raised_at timestamptz,
  refused_pace float8,
  refusals bigint NOT NULL DEFAULT 0,
  next_at timestamptz NOT NULL DEFAULT '-infinity',
  tokens_next_at timestamptz NOT NULL DEFAULT '-infinity',
  paused_until timestamptz NOT NULL DEFAULT '-infinity',
  given bigint NOT NULL DEFAULT 0,
  passed bigint NOT NULL DEFAULT 0,
  granted bigint NOT NULL DEFAULT 0,
  turn_ms float8 NOT NULL DEFAULT 0,
  measured float8,
  counted integer NOT NULL DEFAULT 0,
  counted_from timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (app, name)
);
COMMENT ON TABLE {schema}.budget IS 'What all processes of an app may do together. One row a budget; processes take turns from it.';
COMMENT ON COLUMN {schema}.budget.app IS 'Whose it is.';
COMMENT ON COLUMN {schema}.budget.name IS 'As handlers name it in their limit.';
COMMENT ON COLUMN {schema}.budget.per_minute IS 'Turns a minute as declared; null where that is not limited.';
COMMENT ON COLUMN {schema}.budget.tokens_per_minute IS 'Tokens a minute as declared; null likewise.';
COMMENT ON COLUMN {schema}.budget.in_flight IS 'Turns at the same time as declared; null likewise.';
COMMENT ON COLUMN {schema}.budget.slowed IS 'Turns a minute since somebody refused us; rises by itself. Null where nothing was refused lately.';
COMMENT ON COLUMN {schema}.budget.slowed_at IS 'When the pace went down last.';
COMMENT ON COLUMN {schema}.budget.raised_at IS 'Until when its rise is counted.';
COMMENT ON COLUMN {schema}.budget.refused_pace IS 'What went through, a minute, when it was refused.';
COMMENT ON COLUMN {schema}.budget.refusals IS 'How often the pace went down.';
COMMENT ON COLUMN {schema}.budget.next_at IS 'When the next turn is free.';
COMMENT ON COLUMN {schema}.budget.tokens_next_at IS 'When the tokens that were used are paid off.';
COMMENT ON COLUMN {schema}.budget.paused_until IS 'Nobody gets a turn before.';
COMMENT ON COLUMN {schema}.budget.given IS 'The last place in line that was given.';
COMMENT ON COLUMN {schema}.budget.passed IS 'The highest place in line that had its turn.';
COMMENT ON COLUMN {schema}.budget.granted IS 'Turns granted in all.';
COMMENT ON COLUMN {schema}.budget.turn_ms IS 'How long a turn takes, about.';
COMMENT ON COLUMN {schema}.budget.measured IS 'Turns a minute that were granted lately.';
COMMENT ON COLUMN {schema}.budget.counted IS 'Turns granted since counted_from.';
COMMENT ON COLUMN {schema}.budget.counted_from IS 'Since when they are counted.';

CREATE TABLE {schema}.budget_use (
  app text NOT NULL,
  name text NOT NULL,
  process text NOT NULL,
  running integer NOT NULL,
  alive_until timestamptz NOT NULL,
  PRIMARY KEY (app, name, process)
);
COMMENT ON TABLE {schema}.budget_use IS 'Turns under way, by process, of budgets that limit them.';
COMMENT ON COLUMN {schema}.budget_use.app IS 'Whose it is.';
COMMENT ON COLUMN {schema}.budget_use.name IS 'The budget.';
COMMENT ON COLUMN {schema}.budget_use.process IS 'The process, under a name of its own.';
COMMENT ON COLUMN {schema}.budget_use.running IS 'Its turns that are under way, or granted and not begun.';
COMMENT ON COLUMN {schema}.budget_use.alive_until IS 'A process that says nothing until then is dead, and its turns are over.';

-- Turns for those who want one, in their order of place. The rules are in runtime/store/turns.ts (TURN_RULES).
CREATE FUNCTION {schema}.take_turns(
  of_app text, of_name text, of_process text, limit_per_minute float8, limit_tokens float8, limit_in_flight integer,
  running integer, used_requests float8, used_tokens float8, refused boolean, pause_ms float8, took_ms float8,
  tickets bigint[], tokens float8[]
) RETURNS TABLE (place integer, granted boolean, wait_ms float8, ticket bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  b {schema}.budget;
  want record;
  t timestamptz;
  one_ms interval := interval '1 millisecond';
  ahead_ms CONSTANT float8 := 1000;
  credit CONSTANT interval := interval '250 milliseconds';
  pace float8;
  gap_ms float8;
  line_ms float8;
  busy integer := 0;
  before bigint;
  slot timestamptz;
  slot_ms float8;
  elapsed float8;
BEGIN
  LOOP
    SELECT * INTO b FROM {schema}.budget AS known WHERE known.app = of_app AND known.name = of_name FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO {schema}.budget (app, name) VALUES (of_app, of_name) ON CONFLICT DO NOTHING;
  END LOOP;
  -- Whoever waited for the row comes later than its transaction's time.
  t := clock_timestamp();
  b.per_minute := limit_per_minute;
  b.tokens_per_minute := limit_tokens;
  b.in_flight := limit_in_flight;
  IF took_ms > 0 THEN
    b.turn_ms := CASE WHEN b.turn_ms = 0 THEN took_ms ELSE 0.8 * b.turn_ms + 0.2 * took_ms END;
  END IF;

  -- What really went through lately.
  elapsed := extract(epoch FROM t - b.counted_from);
  IF elapsed >= 5 THEN
    b.measured := b.counted * 60 / elapsed;
    b.counted := 0;
    b.counted_from := t;
  END IF;

  -- The pace rises by itself, and goes down at a refusal.
  IF b.slowed IS NOT NULL THEN
    b.slowed := b.slowed
      + extract(epoch FROM t - b.raised_at) * 0.01 * coalesce(b.per_minute, b.refused_pace);
    IF b.slowed >= coalesce(b.per_minute, 4 * b.refused_pace) THEN b.slowed := NULL; END IF;
  END IF;
  b.raised_at := t;
  IF refused AND (b.slowed_at IS NULL OR t - b.slowed_at >= interval '1.5 seconds') THEN
    elapsed := greatest(1, extract(epoch FROM t - b.counted_from));
    b.refused_pace := greatest(1, least(
      coalesce(b.slowed, b.per_minute, 'Infinity'),
      greatest(coalesce(b.measured, 0), b.counted * 60 / elapsed)));
    b.slowed := 0.8 * b.refused_pace;
    b.slowed_at := t;
    b.refusals := b.refusals + 1;
  END IF;
  IF pause_ms > 0 THEN
    b.paused_until := greatest(b.paused_until, t + pause_ms * one_ms);
  END IF;
  pace := least(b.slowed, b.per_minute); -- least() passes nulls over
  gap_ms := coalesce(60000 / pace, 0);
  line_ms := greatest(gap_ms, CASE WHEN b.in_flight > 0 THEN b.turn_ms / b.in_flight ELSE 0 END);

  -- What was used beyond one turn each.
  b.next_at := greatest(b.next_at, t - credit) + used_requests * gap_ms * one_ms;
  IF b.tokens_per_minute IS NOT NULL THEN
    b.tokens_next_at := greatest(b.tokens_next_at, t) + used_tokens * 60000 / b.tokens_per_minute * one_ms;
  END IF;

  IF b.in_flight IS NOT NULL THEN
    SELECT coalesce(sum(u.running), 0) INTO busy FROM {schema}.budget_use AS u
     WHERE u.app = of_app AND u.name = of_name AND u.process <> of_process AND u.alive_until > t;
  END IF;

  FOR want IN
    SELECT w.ticket, w.tokens, w.place FROM unnest(tickets, tokens) WITH ORDINALITY AS w(ticket, tokens, place)
    ORDER BY w.ticket NULLS LAST, w.place
  LOOP
    place := want.place;
    -- A place that was never given is somebody else's budget's.
    ticket := CASE WHEN want.ticket <= b.given THEN want.ticket END;
    before := greatest(0, coalesce(ticket - 1, b.given) - b.passed);
    slot := greatest(b.next_at, b.paused_until);
    IF b.tokens_per_minute IS NOT NULL THEN slot := greatest(slot, b.tokens_next_at); END IF;
    slot_ms := greatest(0, extract(epoch FROM slot - t) * 1000);
    IF b.in_flight IS NOT NULL AND busy + running >= b.in_flight THEN
      granted := false;
      wait_ms := greatest(50, slot_ms, (before + 1) * line_ms);
    ELSIF slot_ms + before * line_ms <= ahead_ms OR slot_ms = 0 THEN
      granted := true;
      wait_ms := slot_ms;
      b.next_at := greatest(slot, t - credit) + gap_ms * one_ms;
      IF b.tokens_per_minute IS NOT NULL THEN
        b.tokens_next_at := greatest(b.tokens_next_at, t) + want.tokens * 60000 / b.tokens_per_minute * one_ms;
      END IF;
      b.passed := greatest(b.passed, ticket);
      b.granted := b.granted + 1;
      b.counted := b.counted + 1;
      running := running + 1;
    ELSE
      granted := false;
      wait_ms := slot_ms + before * line_ms;
    END IF;
    IF NOT granted AND ticket IS NULL THEN
      b.given := b.given + 1;
      ticket := b.given;
    END IF;
    RETURN NEXT;
  END LOOP;

  IF b.in_flight IS NOT NULL THEN
    INSERT INTO {schema}.budget_use AS u (app, name, process, running, alive_until)
    VALUES (of_app, of_name, of_process, take_turns.running, t + interval '30 seconds')
    ON CONFLICT (app, name, process)
    DO UPDATE SET running = excluded.running, alive_until = excluded.alive_until;
    DELETE FROM {schema}.budget_use AS u
     WHERE u.app = of_app AND u.name = of_name AND u.alive_until < t - interval '1 minute';
  END IF;
  UPDATE {schema}.budget AS known SET
    per_minute = b.per_minute, tokens_per_minute = b.tokens_per_minute, in_flight = b.in_flight,
    slowed = b.slowed, slowed_at = b.slowed_at, raised_at = b.raised_at, refused_pace = b.refused_pace,
    refusals = b.refusals, next_at = b.next_at, tokens_next_at = b.tokens_next_at, paused_until = b.paused_until,
    given = b.given, passed = b.passed, granted = b.granted, turn_ms = b.turn_ms, measured = b.measured,
    counted = b.counted, counted_from = b.counted_from
  WHERE known.app = of_app AND known.name = of_name;
END $$;
COMMENT ON FUNCTION {schema}.take_turns(text, text, text, float8, float8, integer, integer, float8, float8, boolean, float8, float8, bigint[], float8[]) IS 'Turns of a budget for those of one process who want one, and what became of its earlier ones. Called by the runtime.';

CREATE VIEW {schema}.budgets AS
  SELECT b.app, b.name, b.per_minute, least(b.slowed, b.per_minute) AS pace, b.tokens_per_minute, b.in_flight,
         (SELECT coalesce(sum(u.running), 0) FROM {schema}.budget_use AS u
           WHERE u.app = b.app AND u.name = b.name AND u.alive_until > now())::bigint AS running,
         greatest(0, b.given - b.passed) AS in_line, b.granted, b.refusals, b.slowed_at,
         nullif(greatest(b.paused_until, b.next_at, b.tokens_next_at), '-infinity') AS next_at
    FROM {schema}.budget AS b;
COMMENT ON VIEW {schema}.budgets IS 'Budgets as people ask for them: what is declared, what the pace is now, how many run and wait.';
COMMENT ON COLUMN {schema}.budgets.app IS 'Whose it is.';
COMMENT ON COLUMN {schema}.budgets.name IS 'As handlers name it in their limit.';
COMMENT ON COLUMN {schema}.budgets.per_minute IS 'Turns a minute as declared.';
COMMENT ON COLUMN {schema}.budgets.pace IS 'Turns a minute at the last turn: lower than declared after refusals. Null: not limited.';
COMMENT ON COLUMN {schema}.budgets.tokens_per_minute IS 'Tokens a minute as declared.';
COMMENT ON COLUMN {schema}.budgets.in_flight IS 'Turns at the same time as declared.';
COMMENT ON COLUMN {schema}.budgets.running IS 'Turns under way, where that is limited.';
COMMENT ON COLUMN {schema}.budgets.in_line IS 'How many wait for their turn, about.';
COMMENT ON COLUMN {schema}.budgets.granted IS 'Turns granted in all.';
COMMENT ON COLUMN {schema}.budgets.refusals IS 'How often the pace went down.';
COMMENT ON COLUMN {schema}.budgets.slowed_at IS 'When it went down last.';
COMMENT ON COLUMN {schema}.budgets.next_at IS 'When the next turn is free.';

-- Readers see budgets too; of the roles that were made readers before, each once grant_reader is called for it again.
CREATE OR REPLACE FUNCTION {schema}.grant_reader(to_role name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA {schema} TO %I', to_role);
  EXECUTE format('GRANT SELECT ON {schema}.schedule, {schema}.held_message, {schema}.dead_letter, {schema}.manual_change,
    {schema}.schedule_summary, {schema}.schedule_minutes, {schema}.schedule_oldest, {schema}.schedule_most_retried,
    {schema}.dead_letter_summary, {schema}.budgets TO %I', to_role);
  EXECUTE format('GRANT EXECUTE ON FUNCTION {schema}.topics_waiting(), {schema}.readable(bytea), {schema}.readable_json(bytea),
    {schema}.readable_headers(bytea[], bytea[]) TO %I', to_role);
END $$;

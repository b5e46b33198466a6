/** What the pipeline does when the model limits, fails, talks nonsense or answers badly. One process, one script. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ask, queue, question, reaches, type Question } from "./asking.ts";
import { clearStage, embeddedDatabase, eventually, newStateDir, sql, startCauce } from "./stage.ts";

/** Longer than any wait of the stage, so that a wait that was in vain is told. */
setDefaultTimeout(240_000);

const MAX_ATTEMPTS = 3;
const SCRIPT = [
  { match: "of Limit ", replies: ["rate_limit:3s", "rate_limit:10ms", "rate_limit:10ms"] },
  { match: "of Failing ", replies: ["timeout", "garbage"] },
  { match: "of Hopeless ", replies: Array.from({ length: 20 }, () => "server_error") },
  { match: "of Refused ", replies: ["refused"] },
  { match: "of Mended ", replies: ["bad_answer"] },
  { match: "of Bad ", replies: Array.from({ length: 20 }, () => "bad_answer") },
];

let door = "";
let database = "";
beforeAll(async () => {
  const stateDir = newStateDir();
  const settings = {
    OFFLINE_SCRIPT: JSON.stringify(SCRIPT),
    MAX_ATTEMPTS: String(MAX_ATTEMPTS),
    MODEL_TIMEOUT_MS: "300",
  };
  door = await startCauce({ stateDir, settings }).door();
  database = embeddedDatabase(stateDir);
});
afterAll(clearStage);

/** Asks, waits for the end, and returns the way there: the steps as they were written, with their details. */
async function wayOf(asked: Question) {
  const id = await queue(door, asked);
  const status = await reaches(door, id, "done", "failed");
  const last = status.state === "done" ? "stored" : "failed";
  const steps = await eventually("all its steps are written", async () => {
    const rows = await sql(
      database,
      `select step, detail from question_step where question_hash = '${id}' order by at, id`,
    );
    return (
      rows.some(({ step }) => step === last) && (rows as { step: string; detail: Record<string, unknown> }[])
    );
  });
  const of = (name: string) => steps.filter(({ step }) => step === name).map(({ detail }) => detail);
  return { id, status, of };
}

describe("the pipeline", () => {
  test("keeps a rate-limited question as a row that plain SQL shows, until the time that the model named, and burns nothing", async () => {
    const id = await queue(door, question("Limit", 1));
    const [row] = await eventually("a row waits", async () => {
      const rows = await sql(
        database,
        `select reason, topic, attempts, deferrals, due_at, created_at, value_json ->> 'id' as id,
                (value_json ->> 'attempts')::int as value_attempts, (value_json ->> 'deferrals')::int as value_deferrals
           from cauce.schedule where value_json ->> 'id' = '${id}'`,
      );
      return rows.length === 1 && rows;
    });
    expect(row).toMatchObject({
      reason: "rate_limit",
      topic: "llm.requests",
      value_attempts: 0,
      value_deferrals: 1,
    });
    const waitMs = Number(row?.["due_at"]) - Number(row?.["created_at"]);
    expect(waitMs).toBeGreaterThanOrEqual(3_000);
    const [waiting] = await sql(
      database,
      `select reason, attempt from question_waiting where question_hash = '${id}'`,
    );
    expect(waiting).toMatchObject({ reason: "rate_limit", attempt: "1" });

    await reaches(door, id, "done");
    const [result] = await sql(
      database,
      `select attempts, deferrals, created_at from response_event where question_hash = '${id}'`,
    );
    expect(result).toMatchObject({ attempts: 1, deferrals: 3 });
    expect(Number(result?.["created_at"])).toBeGreaterThanOrEqual(Number(row?.["due_at"]));
  });

  test("waits longer with each failure, by the same amount, and counts each one as an attempt", async () => {
    const { of, status } = await wayOf(question("Failing", 1));
    expect(status).toMatchObject({ state: "done" });
    expect(of("error").map(({ error_type, attempts }) => ({ error_type, attempts }))).toEqual([
      { error_type: "timeout", attempts: 1 },
      { error_type: "bad_output", attempts: 2 },
    ]);
    const waits = of("waiting").map(({ delay_ms }) => Number(delay_ms));
    // 50 ms and 100 ms, of which chance takes away a fifth at most.
    expect(waits).toHaveLength(2);
    for (const [index, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(40 * (index + 1));
      expect(wait).toBeLessThanOrEqual(50 * (index + 1));
    }
    expect(of("answered")).toMatchObject([{ attempts: 3 }]);
  });

  test("ends a question as failed, with the reason, when all attempts are spent, and asks again when asked again", async () => {
    const asked = question("Hopeless", 1);
    const { id, status, of } = await wayOf(asked);
    expect(status).toMatchObject({ state: "failed" });
    expect(status.reason).toContain(`all ${MAX_ATTEMPTS} attempts are spent`);
    expect(of("error")).toHaveLength(MAX_ATTEMPTS);
    const again = await ask(door, asked);
    expect(again).toMatchObject({ status: 202, body: { id } });
    await eventually("its second round", async () => {
      const [row] = await sql(database, `select round, state from question where id = '${id}'`);
      return row?.["round"] === 2 && row["state"] === "failed";
    });
  });

  test("ends a question that the model refuses at once", async () => {
    const { status, of } = await wayOf(question("Refused", 1));
    expect(status).toMatchObject({ state: "failed" });
    expect(status.reason).toContain("trying again cannot help");
    expect(of("error")).toHaveLength(1);
  });

  test("has an answer below the threshold made again, with what was wrong with it", async () => {
    const { of, status } = await wayOf(question("Mended", 1));
    expect(status).toMatchObject({ state: "done", below_threshold: false });
    const scores = of("scored");
    expect(scores).toMatchObject([{ again: true }, { again: false }]);
    expect(Number(scores[0]?.["score"])).toBeLessThan(Number(scores[1]?.["score"]));
  });

  test("delivers the best answer so far, marked, when no attempt passes", async () => {
    const { of, status } = await wayOf(question("Bad", 1));
    expect(status).toMatchObject({ state: "done", below_threshold: true });
    const scores = of("scored").map(({ score }) => Number(score));
    expect(scores).toHaveLength(MAX_ATTEMPTS);
    expect(status.score).toBe(Math.max(...scores));
  });

  test("publishes a row at once that was moved to now, and never one that was deleted", async () => {
    const moved = await queue(door, question("Limit", 2));
    const gone = await queue(door, question("Limit", 3));
    const waits = (id: string) => `from cauce.schedule where value_json ->> 'id' = '${id}'`;
    await eventually(
      "both wait",
      async () =>
        (await sql(database, `select 1 ${waits(moved)} union all select 1 ${waits(gone)}`)).length === 2,
    );
    await sql(database, `delete ${waits(gone)}`);
    await sql(database, `update cauce.scheduled set due_at = now() where id in (select id ${waits(moved)})`);
    await reaches(door, moved, "done");
    expect(await sql(database, `select 1 from response_event where question_hash = '${gone}'`)).toEqual([]);
  });
});

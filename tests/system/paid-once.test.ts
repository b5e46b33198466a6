/** Model calls under `kill -9` between every two steps and under duplicates: each is paid once, but for one window. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { queue, question, questions, reaches } from "./asking.ts";
import { startCountingModel, type CountingModel } from "./counting-model.ts";
import { MOMENTS, WINDOW } from "./paid-at.ts";
import { clearStage, embeddedDatabase, newStateDir, sql, startCauce, type Cauce } from "./stage.ts";

/** Longer than any wait of the stage, so that a wait that was in vain is told. */
setDefaultTimeout(240_000);

const MANY = 60;

let model: CountingModel;
let door = "";
let database = "";
let settings: Record<string, string> = {};
let stateDir = "";

beforeAll(() => {
  model = startCountingModel();
  settings = { LLM_BASE_URL: model.baseUrl, LLM_MODEL: "counting", MODEL_TIMEOUT_MS: "1000" };
});
afterAll(async () => {
  await clearStage();
  await model.stop();
});

/** Everything but the handlers that ask; with `twice`, every question is sent twice. */
async function openRest(twice: boolean): Promise<void> {
  stateDir = newStateDir();
  const rest = startCauce({
    stateDir,
    settings: { ...settings, RUN: "ingress,scheduler,llm.errors,llm.validated,llm.failed" },
    ...(twice ? { program: ["tests/system/paid-at.ts", "twice"] } : {}),
  });
  door = await rest.door();
  database = embeddedDatabase(stateDir);
}

const asking = (RUN: string, moment?: string): Cauce =>
  startCauce({
    stateDir,
    settings: { ...settings, RUN },
    ...(moment === undefined ? {} : { program: ["tests/system/paid-at.ts", moment] }),
  });
const callsOf = (title: string) =>
  Object.fromEntries([...model.counts].filter(([name]) => name.startsWith(`${title} `)));

for (const [handler, purpose, moments] of [
  ["llm.requests", "answer", MOMENTS],
  // The same code writes its calls down; about ten seconds each.
  ["llm.generated", "judge", ["call.begun", "call.answered", "call.written", "settle.published"]],
] as const) {
  describe(`kill -9 of the process that runs ${handler}`, () => {
    beforeAll(() => openRest(false));
    afterAll(clearStage);

    for (const moment of moments) {
      const extra = WINDOW.includes(moment) ? 1 : 0;
      const promise = extra === 0 ? "no call is made twice" : "that call, and no other, is made again";
      test(`at ${moment}: ${promise}`, async () => {
        const asked = question(`${handler} ${moment}`, 1);
        const other = handler === "llm.requests" ? "llm.generated" : "llm.requests";
        const doomed = asking(handler, moment);
        // Whoever judges starts after the death: else the second attempt's call may be under way by then, which is another window.
        let helper = purpose === "judge" ? asking(other) : null;
        await Promise.all([doomed.up(), helper?.up()]);
        const id = await queue(door, asked);
        await doomed.exited;
        const again = asking(handler);
        helper ??= asking(other);
        await reaches(door, id, "done");
        // In order, so that the next test's process meets nothing of this one.
        await Promise.all([again.end(), helper.end()]);
        // The rows know of it: what deaths have cost is measured. A call that was not asked for is told with its reason.
        const row = (attempt: number, kind: "answer" | "judge") => ({
          attempt,
          purpose: kind,
          calls: attempt === 1 && kind === purpose && (extra === 1 || moment === "call.begun") ? 2 : 1,
          error: null,
        });
        const rows = await sql(
          database,
          `select attempt, purpose, calls, error from model_call where question_hash = '${id}' order by attempt, purpose`,
        );
        expect({ calls: callsOf(asked.title), rows }).toEqual({
          calls: {
            [`${asked.title} answer 1`]: purpose === "answer" ? 1 + extra : 1,
            [`${asked.title} judge 1`]: purpose === "judge" ? 1 + extra : 1,
            [`${asked.title} answer 2`]: 1,
            [`${asked.title} judge 2`]: 1,
          },
          rows: [row(1, "answer"), row(1, "judge"), row(2, "answer"), row(2, "judge")],
        });
      });
    }
  });
}

test("of many questions, each sent twice, a process that is killed costs only the calls that were under way", async () => {
  await openRest(true);
  const asked = questions("Many", MANY);
  let calls = 0;
  const both = "llm.requests,llm.generated";
  const arrived = Promise.withResolvers<void>();
  model.onCall = async () => {
    if (++calls === MANY) arrived.resolve();
    await Bun.sleep(5);
  };
  const doomed = asking(both);
  const ids = await Promise.all(asked.map((each) => queue(door, each)));
  await arrived.promise;
  await doomed.kill();
  const underWay = await sql(
    database,
    "select question_hash, attempt, purpose from model_call where finished_at is null",
  );
  asking(both);
  for (const id of ids) await reaches(door, id, "done");
  const repeated = await sql(
    database,
    `select question_hash, attempt, purpose, calls from model_call
      where question_hash in (${ids.map((id) => `'${id}'`).join(",")}) and calls > 1`,
  );
  for (const { question_hash, attempt, purpose, calls: times } of repeated) {
    expect(underWay).toContainEqual({ question_hash, attempt, purpose });
    expect(times).toBe(2);
  }
  const counts = asked.flatMap(({ title }) => Object.values(callsOf(title)));
  expect(counts).toHaveLength(4 * MANY);
  const made = counts.reduce((sum, each) => sum + each, 0);
  expect(made).toBeLessThanOrEqual(4 * MANY + underWay.length);
  process.stdout.write(
    `${made} calls for ${4 * MANY} distinct ones, ${underWay.length} under way at the kill\n`,
  );
  model.onCall = null;
});

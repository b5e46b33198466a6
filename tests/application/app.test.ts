/**
 * The whole application on a real Postgres, with its real handlers and the offline model behind HTTP; only the broker
 * is missing: outputs are handed to the next handler at once, whatever they would have waited.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createOutbox } from "cauce/outbox";
import { readSettings, type Client, type Started, type World } from "cauce/run";
import postgres from "postgres";
import answer from "../../handlers/llm.requests.ts";
import retry from "../../handlers/llm.errors.ts";
import score from "../../handlers/llm.generated.ts";
import store from "../../handlers/llm.validated.ts";
import end from "../../handlers/llm.failed.ts";
import app from "../../handlers/shared/app.ts";
import { settings } from "../../handlers/shared/settings.ts";
import { Deadlines } from "../../runtime/engine/deadlines.ts";
import { attemptOf, processRecord } from "../../runtime/engine/process.ts";
import { namesFor } from "../../runtime/engine/names.ts";
import { recordOf } from "../../runtime/engine/emit.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { startIngress, type Ingress } from "../../runtime/ingress/start.ts";
import { settledStep, startedStep } from "../../runtime/main/steps.ts";
import { createDatabase } from "../services/postgres.ts";

const HANDLERS = [answer, retry, score, store, end];
const SCRIPT = [
  { match: "rate limited", replies: ["rate_limit:2s", "timeout", "garbage", "ok"] },
  { match: "never", replies: Array.from({ length: 5 }, () => "garbage") },
  { match: "once wrong", replies: ["bad_answer", "ok"] },
];

let url: string;
let started: Started<unknown>;
let ingress: Ingress;
let sql: postgres.Sql;
const queue: { topic: string; id: string; value: unknown }[] = [];

const client: Client = {
  send(topic, value, options) {
    const id = options?.id ?? crypto.randomUUID();
    queue.push({ topic: topic.name, id, value });
    return Promise.resolve(id);
  },
};

beforeAll(async () => {
  url = await createDatabase("app");
  sql = postgres(url, { max: 2, onnotice: () => undefined });
  const environment = { OFFLINE_SCRIPT: JSON.stringify(SCRIPT), MODEL_TIMEOUT_MS: "300" };
  const world: World<ReturnType<typeof readSettings<typeof settings>>> = {
    settings: readSettings(settings, environment),
    log: silentLog,
    clock: systemClock,
    random: () => 0.5,
    client,
    outbox: createOutbox({ app: app.name }),
    database: { url, listenUrl: url, embedded: false, schema: "cauce" },
    broker: {
      embedded: false,
      generation: null,
      hasRoom: () => true,
      expectedWaitMs: () => 0,
      connected: () => true,
    },
    door: { loopback: true, exposed: false },
    runs: { ingress: true, handlers: HANDLERS.map(({ name }) => name) },
    production: false,
    stopping: new AbortController().signal,
  };
  started = await app.start(world);
  ingress = await startIngress({
    port: 0,
    ...(started.routes && { routes: started.routes }),
    log: silentLog,
    metrics: () => started.metrics?.() ?? "",
    ready: () => ({ ready: true, parts: {} }),
    clock: systemClock,
  });
});
afterAll(async () => {
  await ingress.stop();
  await started.close();
  await sql.end();
});

/** Runs everything that is on its way to its end, as the engine would, and tells the observer. */
async function drain(): Promise<void> {
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { topic, id, value } = next;
    const handler = HANDLERS.find(({ on }) => on.name === topic);
    if (!handler) throw new Error(`nobody reads ${topic}`);
    const record = await recordOf(handler.on, value, {
      id,
      source: "/test",
      bornAtMs: Date.now(),
      traceparent: null,
    });
    const deadlines = new Deadlines({ clock: systemClock, afterMs: handler.timeoutMs });
    const attempt = attemptOf(
      { ...record, partition: 0, offset: 0, timestampMs: Date.now() },
      {
        handler,
        names: namesFor("llm", handler),
        deps: started.deps,
        clock: systemClock,
        random: () => 0.5,
        log: silentLog,
        deadlines,
        started: (envelope, read) =>
          started.observe?.(startedStep(handler, envelope, read, systemClock.nowMs())),
      },
      { interrupted: false, onInterrupt: new Set() },
    );
    const processed = await processRecord(attempt);
    deadlines.stop();
    if (processed.outcome.kind !== "done") throw new Error(JSON.stringify(processed.outcome));
    const settled = { kind: "done" } as Parameters<typeof settledStep>[2];
    started.observe?.(settledStep(handler, processed, settled));
    processed.emissions.forEach((emission, index) => {
      queue.push({ topic: emission.topic.name, id: `${id}/${index}`, value: emission.value });
    });
  }
}

const ask = async (body: object) => {
  const response = await fetch(`${ingress.url}/query`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return (await response.json()) as { id: string; queued?: boolean; hit?: boolean; answer?: string };
};
const see = async (id: string) =>
  (await (await fetch(`${ingress.url}/query/${id}`)).json()) as Record<string, unknown>;

/** The journal writes a moment later: this waits for the step that ends the question. */
async function stepsOf(id: string, last: string): Promise<string[]> {
  for (;;) {
    const rows = await sql<{ step: string }[]>`
      select step from question_step where question_hash = ${id} order by id`;
    if (rows.some(({ step }) => step === last)) return rows.map(({ step }) => step);
    await Bun.sleep(20);
  }
}

describe("the application", () => {
  test("answers, scores, stores and caches a question, and hits the second time", async () => {
    const question = {
      title: "When was the Prado Museum opened?",
      content: "The Prado Museum was opened in 1819. It stands in Madrid.",
      best_answer: "1819",
    };
    const { id, queued } = await ask(question);
    expect(queued).toBe(true);
    await drain();
    const [row] = await sql`select * from response_event where question_hash = ${id}`;
    expect(row).toMatchObject({ title: question.title, below_threshold: false, round: 1, attempts: 1 });
    expect(row?.["answer"]).toContain("1819");
    expect(row?.["score"]).toBeGreaterThanOrEqual(6);
    expect(row?.["model"]).toContain("offline");
    expect(row?.["judge"]).toContain("offline");
    expect(await ask(question)).toMatchObject({ hit: true, id, answer: row?.["answer"] as string });
    expect(await see(id)).toMatchObject({ state: "done", answer: row?.["answer"] as string });
    expect(await stepsOf(id, "hit")).toEqual([
      "queued",
      "generating",
      "answered",
      "scoring",
      "scored",
      "stored",
      "hit",
    ]);
  });

  test("comes through a rate limit, a timeout and garbage, two attempts and one deferral spent", async () => {
    const { id } = await ask({
      title: "When was the rate limited bridge built?",
      content: "The rate limited bridge was built in 1901.",
      best_answer: "1901",
    });
    await drain();
    const [row] =
      await sql`select answer, attempts, deferrals from response_event where question_hash = ${id}`;
    expect(row).toMatchObject({ attempts: 3, deferrals: 1 });
    const steps = await stepsOf(id, "stored");
    expect(steps.filter((step) => step === "error")).toHaveLength(3);
    expect(steps.filter((step) => step === "waiting")).toHaveLength(3);
  });

  test("answers a bad answer with another try, and stores the better one", async () => {
    const { id } = await ask({
      title: "When was the once wrong tower built?",
      content: "The once wrong tower was built in 1788.",
      best_answer: "1788",
    });
    await drain();
    const rows =
      await sql`select answer, attempts, below_threshold from response_event where question_hash = ${id}`;
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ attempts: 2, below_threshold: false });
    expect(rows[0]?.["answer"]).toContain("1788");
  });

  test("fails a question with the reason when every attempt failed, and asks anew when asked again", async () => {
    const question = { title: "Will this never work?", content: "", best_answer: "no" };
    const { id } = await ask(question);
    await drain();
    const failed = await see(id);
    expect(failed).toMatchObject({ id, state: "failed" });
    expect(failed["reason"]).toContain("all 5 attempts are spent; the last error was bad_output");
    expect(await ask(question)).toMatchObject({ queued: true, id });
    expect(queue).toMatchObject([{ id: `${id}.2` }]);
    await drain();
    expect(await see(id)).toMatchObject({ state: "done", round: 2 });
  });

  test("says what is real and what is a stand-in, and what to try", () => {
    expect(started.parts).toMatchObject([
      { part: "model", standIn: true },
      { part: "judge", standIn: true },
      { part: "cache", standIn: true },
      { part: "api keys", what: "none: whoever is on this machine may ask, nobody else reaches the door" },
    ]);
    expect(started.tryLine?.(ingress.url)).toStartWith(`curl -s ${ingress.url}/query`);
    expect(started.metrics?.()).toContain("llm_steps_lost_total 0");
  });
});

/** The application beside the runtime's own tables: what waits, in its words, and what died. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createKeeper } from "../../handlers/shared/keeper.ts";
import { createViews } from "../../handlers/shared/storage/views.ts";
import { systemClock } from "../../runtime/ground/clock.ts";
import { silentLog } from "../../runtime/ground/log.ts";
import { createPostgresStore, type PostgresStore } from "../../runtime/store/postgres.ts";
import { newQuestion, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let store: PostgresStore;
beforeAll(async () => {
  stage = await openStage("schedule");
});
afterAll(async () => {
  await store.close();
  await stage.close();
});

const utf8 = new TextEncoder();
const record = (topic: string, value: unknown) => ({
  topic,
  key: null,
  value: typeof value === "string" ? utf8.encode(value) : utf8.encode(JSON.stringify(value)),
  headers: [],
});
const scheduled = (messageId: string, topic: string, value: unknown) => ({
  handler: "llm.errors",
  messageId,
  delivery: 0,
  record: record(topic, value),
  kind: "output" as const,
  reason: "rate_limit",
  error: "",
  attempts: 0,
  deferrals: 0,
  delayMs: 60_000,
  bornAtMs: Date.now(),
});
const letter = (messageId: string, topic: string, value: unknown) => ({
  handler: "llm.generated",
  messageId,
  delivery: 0,
  record: record(topic, value),
  partition: 0,
  offset: 1,
  cause: "TypeError",
  error: "x is not a function",
  attempts: 5,
  deferrals: 0,
});

test("question_waiting is empty until the runtime's schedule is there, then shows it", async () => {
  expect(await stage.sql`select * from question_waiting`).toHaveLength(0);
  store = await createPostgresStore({ url: stage.url, app: "llm" });
  expect(await createViews(stage.database)).toBe(true);
  const question = { ...newQuestion(), attempts: 2, round: 1, deferrals: 1 };
  await store.schedule([
    scheduled("a", "llm.requests", question),
    scheduled("b", "llm.requests", "not even JSON"),
    scheduled("b2", "llm.requests", { attempts: "many", round: 1e300, title: "!" }),
    scheduled("c", "another.topic", question),
  ]);
  const rows = await stage.sql`select * from question_waiting order by title`;
  expect(rows).toHaveLength(3);
  expect(rows[2]).toMatchObject({
    question_hash: question.id,
    title: question.title,
    reason: "rate_limit",
    attempt: "3",
    deferrals: "1",
    topic: "llm.requests",
  });
  expect(rows[2]?.["due_at"]).toBeInstanceOf(Date);
  expect(String(rows[2]?.["due_in"])).toMatch(/^00:00:5\d|^00:01:00/);
  expect(await createViews(stage.database)).toBe(true);
});

describe("with an embedded broker that started anew", () => {
  test("questions that wait in the schedule are not asked a second time", async () => {
    const [waiting, lost] = [newQuestion(), newQuestion()];
    await stage.repository.claim(waiting, "old");
    await stage.repository.claim(lost, "old");
    await store.schedule([
      scheduled("d", "llm.requests", { ...waiting, attempts: 0, round: 1, deferrals: 1 }),
    ]);
    await stage.repository.reopenOtherGenerations("new");
    const taken = await stage.repository.takeUnpublished({ olderThanMs: 3_600_000, limit: 100 });
    expect(taken.map(({ id }) => id)).toEqual([lost.id]);
  });
});

describe("a dead letter", () => {
  test("ends its question as failed with the reason, and unreadable ones end nothing", async () => {
    const dead = newQuestion();
    const claimed = await stage.repository.claim(dead, null);
    expect(claimed.won).toBe(true);
    const value = { ...dead, round: 1, attempts: 1, deferrals: 0 };
    await store.bury([
      letter("1", "llm.generated", "\u0000 no JSON"),
      letter("2", "llm.generated", { id: 7 }),
      letter("3", "llm.generated", "null"),
      letter("4", "another.topic", { ...value, id: newQuestion().id }),
      letter("5", "llm.generated.llm.generated.retry", value),
    ]);
    const keeper = createKeeper({
      client: { send: () => Promise.reject(new Error("nothing is sent here")) },
      repository: stage.repository,
      broker: { generation: null, hasRoom: () => true, connected: () => false },
      clock: systemClock,
      log: silentLog,
      everyMs: 3_600_000,
      graceMs: 60_000,
      greatestAgeMs: 3_600_000,
    });
    await keeper.tick();
    expect(await stage.repository.findStatus(dead.id)).toMatchObject({
      state: "failed",
      reason: "llm.generated gave up (TypeError): x is not a function",
    });
    // Asked again it is another round: the old letter says nothing about it.
    await stage.repository.claim(dead, null);
    await keeper.tick();
    expect(await stage.repository.findStatus(dead.id)).toMatchObject({ state: "queued", round: 2 });
    await keeper.close();
  });
});

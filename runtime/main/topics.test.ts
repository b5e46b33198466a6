import { expect, test } from "bun:test";
import type { TopicPlan, TopicReport } from "../bus/bus.ts";
import type { Clock } from "../ground/clock.ts";
import { CauceError } from "../ground/errors.ts";
import { silentLog, type Log } from "../ground/log.ts";
import { ensureTopics, watchTopics } from "./topics.ts";

/** A watch whose looks happen when the test says so, and what it said. */
function stage(known: Readonly<Record<string, number>>) {
  const lines: [string, unknown][] = [];
  const keep = (event: string, fields?: unknown) => void lines.push([event, fields]);
  const log: Log = { ...silentLog, warn: keep, error: keep };
  let answer = (): readonly TopicReport[] => [];
  let due = (): void => undefined;
  let armed = Promise.withResolvers<void>();
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    after(_delayMs, call) {
      due = call;
      armed.resolve();
      return () => (due = () => undefined);
    },
  };
  const bus = { ensureTopics: async (_plans: readonly TopicPlan[]) => Promise.resolve(answer()) };
  const watch = watchTopics({ known: new Map(Object.entries(known)), bus, clock, log });
  return {
    lines,
    watch,
    look: async (reports: () => readonly TopicReport[]) => {
      answer = reports;
      armed = Promise.withResolvers();
      due();
      await armed.promise;
    },
  };
}

const there = (name: string, partitions: number): TopicReport => ({ name, state: "present", partitions });

test("a topic that gets more partitions while we run is said once, with both counts", async () => {
  const { look, lines } = stage({ a: 3, b: 1 });
  await look(() => [there("a", 3), there("b", 1)]);
  expect(lines).toEqual([]);
  await look(() => [there("a", 5), there("b", 1)]);
  await look(() => [there("a", 5), there("b", 1)]);
  expect(lines).toMatchObject([[expect.stringContaining("partitions changed"), { topic: "a", partitions: 5, before: 3 }]]); // prettier-ignore
});

test("a topic that is gone is said, and that it is there again", async () => {
  const { look, lines } = stage({ a: 3 });
  await look(() => [{ name: "a", state: "missing" }]);
  await look(() => [there("a", 3)]);
  expect(lines).toMatchObject([["a topic is gone", { topic: "a" }], ["a topic that was gone is there again", { topic: "a" }]]); // prettier-ignore
});

test("a broker that does not answer is asked again later, and what it did not say changes nothing", async () => {
  const { look, lines } = stage({ a: 3 });
  await look(() => {
    throw new CauceError("broker", "away", { retryable: true });
  });
  await look(() => [{ name: "a", state: "present" }]);
  expect(lines).toEqual([]);
  await look(() => [there("a", 4)]);
  expect(lines.length).toBe(1);
});

test("at the start it is said which topics cannot be used, and which are not as declared", async () => {
  const said: unknown[] = [];
  const log: Log = { ...silentLog, warn: (_event, fields) => void said.push(fields) };
  const plan = (name: string): TopicPlan => ({ name, partitions: 3, provision: "create" });
  const ensure = () =>
    Promise.resolve<TopicReport[]>([
      there("a", 3),
      there("b", 7),
      { name: "c", state: "refused", detail: "no" },
    ]);
  const known = await ensureTopics({ plans: ["a", "b", "c"].map(plan), ensure, log });
  expect([...known]).toEqual([["a", 3], ["b", 7]]); // prettier-ignore
  expect(said).toEqual([
    { topic: "b", partitions: 7, declared: 3 },
    { topic: "c", state: "refused", detail: "no" },
  ]);
});

import { expect, test } from "bun:test";
import { heldClock } from "../../tests/store/held-clock.ts";
import { CauceError } from "../ground/errors.ts";
import { gatherInserts } from "./gather.ts";
import type { ScheduledMessage } from "./message.ts";

const row = (messageId: string): ScheduledMessage => ({
  handler: "h",
  messageId,
  delivery: 0,
  record: { topic: "t", key: null, value: null, headers: [] },
  kind: "retry",
  reason: "",
  error: "",
  attempts: 0,
  deferrals: 0,
  delayMs: 0,
  bornAtMs: 0,
});

const clock = heldClock();
const plain = { atOnce: 1, rows: 100, restShare: 0, longestRestMs: 60, clock };

/** Inserts that end when told, over a set of keys. */
function held(refused = "") {
  const keys = new Set<string>();
  const batches: string[][] = [];
  const gates: (() => void)[] = [];
  async function insert(batch: readonly ScheduledMessage[]) {
    batches.push(batch.map(({ messageId }) => messageId));
    await new Promise<void>((resolve) => gates.push(resolve));
    if (batch.some(({ messageId }) => messageId === refused)) throw new CauceError("database", "refused");
    const added = batch.flatMap(({ messageId }, position) => (keys.has(messageId) ? [] : [position]));
    for (const { messageId } of batch) keys.add(messageId);
    return new Set(added);
  }
  const open = async () => {
    for (let turn = 0; turn < 30; turn++) {
      gates.shift()?.();
      await Promise.resolve();
    }
  };
  return { insert, batches, open };
}

test("calls that come while one is under way go together, and each hears of its own new rows", async () => {
  const { insert, batches, open } = held();
  const schedule = gatherInserts({ ...plain, insert });
  const counts = Promise.all([
    schedule([row("a")]),
    schedule([row("b"), row("c")]),
    schedule([row("c"), row("d"), row("d")]),
    schedule([row("a")]),
  ]);
  await open();
  expect(await counts).toEqual([1, 2, 1, 0]);
  expect(batches).toEqual([["a"], ["b", "c", "d", "a"]]);
});

test("a gathered insert stops growing at its bound, and a larger call goes alone", async () => {
  const { insert, batches, open } = held();
  const schedule = gatherInserts({ ...plain, insert, rows: 2 });
  const counts = Promise.all(
    [["a"], ["b"], ["c"], ["d", "e", "f"], ["g"]].map((ids) => schedule(ids.map(row))),
  );
  await open();
  await counts;
  expect(batches).toEqual([["a"], ["b", "c"], ["d", "e", "f"], ["g"]]);
});

test("a row that Postgres refuses fails its own caller alone", async () => {
  const { insert, open } = held("bad");
  const schedule = gatherInserts({ ...plain, insert });
  const results = Promise.allSettled([schedule([row("a")]), schedule([row("bad")]), schedule([row("b")])]);
  await open();
  expect((await results).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});

test.each([
  ["a share of the time that it took", 100, 50],
  ["and not for ever where it waited for the database", 10_000, 60],
])("after an insert that gives way the next one waits, %s", async (_, tookMs, restMs) => {
  const inserts: { readonly ids: readonly string[]; readonly end: () => void }[] = [];
  const insert = async (batch: readonly ScheduledMessage[]) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    inserts.push({ ids: batch.map(({ messageId }) => messageId), end: resolve });
    await promise;
    return new Set(batch.keys());
  };
  const schedule = gatherInserts({ ...plain, restShare: 0.5, insert });
  const counts = [schedule([row("a")], true), schedule([row("b")]), schedule([row("c")])];
  await clock.pass(tookMs);
  inserts[0]?.end();
  await clock.pass(restMs - 1);
  // Whoever gave way has its answer meanwhile.
  expect(await counts[0]).toBe(1);
  expect(inserts.length).toBe(1);
  await clock.pass(1);
  expect(inserts.map(({ ids }) => ids)).toEqual([["a"], ["b", "c"]]);
  inserts[1]?.end();
  const after = schedule([row("d")]);
  await clock.pass(0);
  expect(inserts.at(-1)?.ids).toEqual(["d"]);
  inserts[2]?.end();
  expect(await Promise.all([...counts, after])).toEqual([1, 1, 1, 1]);
});
